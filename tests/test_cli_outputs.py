"""What commands write: beside one another, onto a full disk, for CI; and where a layer is defined."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from oracle.cli import main
from oracle.cli.places import places
from oracle.results import ResultsError, ResultsWriter, WritingStopped, held, read_run
from reports.annotations import Place
from tests.results.everything import lines
from tests.results.records import header, result, run

COMMAND = [sys.executable, "-c", "from oracle.cli import main; main()"]
LONG = ["run", "Relu", "--examples", "10000000", "--workers", "1", "--out"]


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "stored" / "results.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"\n".join(lines()))
    return path


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that is writing to tmp_path."""
    process = subprocess.Popen([*COMMAND, *LONG, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        _wait_for(lambda: (tmp_path / "results.jsonl").exists() and b'"kind":"result"' in (tmp_path / "results.jsonl").read_bytes())
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_run_in_the_folder_is_refused_and_the_first_loses_nothing(running: subprocess.Popen[str], tmp_path: Path) -> None:
    first = read_run(tmp_path / "results.jsonl").header.run_id
    for command in (["run", "Relu", "--examples", "5"], ["check", "examples/textbook.ipynb:Relu", "--examples", "5"]):
        second = subprocess.run([*COMMAND, *command, "--out", str(tmp_path)], capture_output=True, text=True, timeout=120)
        assert second.returncode == 2, second.stderr
        assert "another run is writing to" in second.stderr and "--out" in second.stderr
    assert not (tmp_path / "index.html").exists()
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=120)
    stored = read_run(tmp_path / "results.jsonl")
    assert stored.header.run_id == first and stored.footer is not None and stored.footer.outcome == "interrupted"
    assert "Relu" in output and (tmp_path / "index.html").exists()


def test_a_run_that_was_killed_leaves_the_folder_free(running: subprocess.Popen[str], tmp_path: Path) -> None:
    os.kill(running.pid, signal.SIGKILL)
    running.wait(timeout=60)
    assert call("run", "Relu", "--examples", "5", "--workers", "1", "--out", tmp_path).exit_code in (1, 3)
    found = read_run(tmp_path / "results.jsonl")
    assert found.header.settings.examples == 5 and found.footer is not None and found.footer.outcome == "complete"


def test_a_folder_is_held_by_one_and_taken_again_by_the_same(tmp_path: Path) -> None:
    code = f"from pathlib import Path; from oracle.results import held\nwith held(Path({str(tmp_path)!r})): pass"
    with held(tmp_path):
        with held(tmp_path), ResultsWriter(tmp_path / "r", header()):
            pass
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert other.returncode == 1 and "another run is writing" in other.stderr
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_writer_holds_its_folder_until_it_is_left(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from oracle.results import ResultsWriter; from tests.results.records import header\n"
        f"ResultsWriter(Path({str(tmp_path / 'r')!r}), header())"
    )
    with ResultsWriter(tmp_path / "r", header()) as writer:
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert other.returncode == 1 and "another run is writing" in other.stderr
        writer.write(result())
    assert len(read_run(tmp_path / "r").results) == 1
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device here")
def test_a_full_disk_stops_the_writer_with_a_word(tmp_path: Path) -> None:
    writer = ResultsWriter(tmp_path / "r", header())
    writer.write(result("a"))
    writer._file.close()
    writer._file = open("/dev/full", "w")  # noqa: SIM115 - the writer closes it
    writer._leave.enter_context(writer._file)
    with pytest.raises(WritingStopped, match=r"no further: No space left.*--out"), writer:
        writer.write(result("b"))
    assert [r.quantity for r in read_run(tmp_path / "r").results] == ["a"]
    with held(tmp_path):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits on files here")
def test_a_run_onto_a_full_disk_tells_what_it_found_until_then(tmp_path: Path) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))\nfrom oracle.cli import main; main()"
    command = [sys.executable, "-c", limited, *LONG, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    assert "INCOMPLETE" in done.stdout and "The run was cut off before its end." in done.stdout
    assert "results.jsonl could be written no further" in done.stderr and "Traceback" not in done.stderr
    found = read_run(tmp_path / "results.jsonl")
    assert found.results and found.footer is None


def test_what_cannot_be_written_keeps_nothing_else_from_being_written(stored: Path, tmp_path: Path) -> None:
    badge, nowhere = tmp_path / "b.svg", Path("/proc/nothing/here")
    done = call("report", stored, "--out", nowhere / "page.html", "--junit", nowhere / "j.xml", "--badge", badge)
    assert done.exit_code == 2 and "INCOMPLETE" in done.output
    assert "page.html" in done.output and "JUnit cannot be written" in done.output and badge.is_file()


def test_every_output_is_written_and_told(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    paths = {name: tmp_path / "deep" / name for name in ("junit", "markdown", "badge")}
    arguments = [part for name, path in paths.items() for part in (f"--{name}", path)]
    for _ in range(2):
        done = call("report", stored, *arguments, "--annotations", "--link", "https://example.org/9", "--markdown-limit", "20000")
        assert done.exit_code == 3
        assert all(path.is_file() and str(path) in done.output for path in paths.values())
    assert "::error title=gradconform%3A incomplete::" in done.output
    text = paths["markdown"].read_text()
    assert text.count("## gradconform: incomplete") == 1 and '<a href="https://example.org/9">' in text
    assert call("report", stored, "--markdown-limit", "100").exit_code == 2


def test_on_github_the_summary_is_added_and_leads_to_the_job(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tmp_path / "summary.md"
    given = {"STEP_SUMMARY": str(summary), "SERVER_URL": "https://example.org", "REPOSITORY": "a/b", "RUN_ID": "17"}
    for name, value in given.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    for _ in range(2):
        call("report", stored, "--markdown", summary)
    assert summary.read_text().count("## gradconform: incomplete") == 2
    assert '<a href="https://example.org/a/b/actions/runs/17">' in summary.read_text()


def test_a_layer_is_found_where_it_is_defined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "repo" / "src"
    (folder / "pack").mkdir(parents=True)
    (folder / "layers.py").write_text("import os\n\n\nclass Relu:\n    pass\n\n\ndef affine_forward(x):\n    pass\n")
    (folder / "pack" / "mod.py").write_text("class Dense: pass\n")
    (folder / "broken.py").write_text("class (:\n")
    (folder / "book.ipynb").write_text("{}")
    (tmp_path / "secret.py").write_text("class Relu: pass\n")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "repo"))
    cases: dict[tuple[str, str], Place | None] = {
        ("layers.py:Relu", "Relu"): Place("src/layers.py", 4),
        ("layers.py", "affine_forward"): Place("src/layers.py", 8),
        ("layers.py", "Gone"): Place("src/layers.py", 0),
        ("pack.mod:Dense", "Dense"): Place("src/pack/mod.py", 1),
        ("broken.py", "Relu"): Place("src/broken.py", 0),
        ("book.ipynb:Relu", "Relu"): Place("src/book.ipynb", 0),
        ("", "pack.mod.Dense"): Place("src/pack/mod.py", 1),
        ("../../secret.py:Relu", "Relu"): None,
        (str(tmp_path / "secret.py"), "Relu"): None,
        ("/proc/self/environ", "x"): None,
        ("\0.py", "x"): None,
        ("a" * 5000 + ".py", "x"): None,
        ("", "Relu"): None,
    }
    info = header().layers[0]
    layers = tuple(info.model_copy(update={"name": f"{at}", "target": t, "subject": s}) for at, (t, s) in enumerate(cases))
    found = places(run(result()).model_copy(update={"header": header().model_copy(update={"layers": layers})}), folder)
    assert [found.get(str(at)) for at in range(len(cases))] == list(cases.values())


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"cannot write to .*--out"), held(Path("/proc/nothing")):
        pass


def _wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "the run wrote nothing"
        time.sleep(0.1)
