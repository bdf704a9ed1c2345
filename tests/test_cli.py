"""The command as a user meets it: output, exit codes, errors that say what to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from oracle.cli import main
from oracle.results import read_run

COMMAND = [sys.executable, "-c", "from oracle.cli import main; main()"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """The folder of a small complete run of one layer."""
    assert run("run", "Relu", "--examples", "300", "--workers", "1", "--out", tmp_path).exit_code == 0
    return tmp_path


def test_run_writes_page_and_results_and_conforms(tmp_path: Path) -> None:
    result = run("run", "relu", "add_layer", "--examples", "240", "--workers", "1", "--out", tmp_path)
    assert result.exit_code == 0
    assert "CONFORMS" in result.output and str(tmp_path / "index.html") in result.output
    stored = read_run(tmp_path / "results.jsonl")
    assert stored.header.settings.layers == ("Relu", "AddLayer")
    assert stored.footer is not None and stored.footer.outcome == "complete"
    assert "Relu" in (tmp_path / "index.html").read_text()


def test_run_with_too_few_cases_is_incomplete(tmp_path: Path) -> None:
    result = run("run", "Relu", "--examples", "3", "--workers", "1", "--out", tmp_path)
    assert result.exit_code == 3
    assert "never judged" in result.output


def test_a_diverging_layer_is_1_and_can_be_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import reference.activations

    right = reference.activations.Relu.backward
    with monkeypatch.context() as patch:
        patch.setattr(reference.activations.Relu, "backward", lambda self, dout: 2 * right(self, dout))
        result = run("run", "Relu", "--examples", "300", "--workers", "1", "--out", tmp_path)
        assert result.exit_code == 1
        assert "DIVERGES" in result.output and "backward.dx" in result.output
        results = tmp_path / "results.jsonl"
        failing = read_run(results).counterexamples[0]
        assert failing.minimised is not None
        again = run("replay", failing.id, "--results", results)
        assert again.exit_code == 1 and failing.id in again.output
        assert run("replay", results).exit_code == 1
    assert run("replay", failing.id, "--results", results).exit_code == 0
    assert run("replay", results, "--raw").exit_code == 0
    assert run("report", results).exit_code == 1


def test_report_is_written_again_elsewhere(quick: Path) -> None:
    page = quick / "deep" / "page.html"
    result = run("report", quick / "results.jsonl", "--out", page)
    assert result.exit_code == 0
    assert page.read_text() == (quick / "index.html").read_text()


def test_replay_of_a_run_without_counterexamples_says_so(quick: Path) -> None:
    result = run("replay", quick / "results.jsonl")
    assert result.exit_code == 0 and "nothing to replay" in result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "Rellu"), "Did you mean Relu?"),
        (("run", "--examples", "0"), "--examples"),
        (("run", "--dtype", "float128"), "float128"),
        (("run", "--seed", "-1"), "--seed"),
        (("run", "Relu", "--out", "/proc/nothing/here"), "--out"),
        (("report", "/nowhere/results.jsonl"), "/nowhere/results.jsonl"),
        (("replay", "Relu-x", "--results", "/nowhere/results.jsonl"), "no results file"),
        (("frobnicate",), "frobnicate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_2_and_says_what_to_do(arguments: tuple[str, ...], told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.output


def test_replay_of_an_unknown_id_lists_what_there_is(quick: Path) -> None:
    result = run("replay", "Relu-nothing", "--results", quick / "results.jsonl")
    assert result.exit_code == 2 and "(none)" in result.output


def test_report_of_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('{"kind": "footer"}\n')
    result = run("report", other)
    assert result.exit_code == 2 and "not a gradconform results file" in result.output


def test_list_and_its_json_name_every_layer() -> None:
    text, data = run("list"), run("list", "--json")
    rows = json.loads(data.output)
    assert len(rows) >= 10 and text.exit_code == data.exit_code == 0
    assert all(row["name"] in text.output and row["torch"] for row in rows)


def test_help_teaches_and_loads_nothing_heavy() -> None:
    code = """
import sys
from oracle.cli import main
main(["run", "--help"], standalone_mode=False)
print(sorted({"numpy", "torch", "hypothesis", "pydantic", "rich"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")
    assert "gradconform run Relu --dtype float32" in done.stdout and "3 incomplete" in done.stdout


def test_without_torch_a_run_says_how_to_get_it() -> None:
    code = """
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch" else found(name, *rest)
from oracle.cli import main
main(["run"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and 'pip install "gradconform[torch]"' in done.stderr


def test_interrupt_keeps_what_is_done(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "run", "--examples", "10000000", "--workers", "2", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    results = tmp_path / "results.jsonl"
    _wait_for(lambda: results.exists() and results.read_text().count('"kind":"result"') > 0)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    stored = read_run(results)
    assert process.returncode == 3
    assert stored.footer is not None and stored.footer.outcome == "interrupted"
    assert sum(d.n_cases for d in stored.depths) > 0
    assert "interrupted" in output and (tmp_path / "index.html").exists()


def test_a_killed_run_can_still_be_read(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "run", "--examples", "10000000", "--workers", "1", "--out", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    results = tmp_path / "results.jsonl"
    _wait_for(lambda: results.exists() and results.read_text().count('"kind":"result"') > 0)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    result = run("report", results)
    assert result.exit_code == 3
    assert "cut off" in result.output


def _wait_for(condition: object, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "the run wrote nothing"
        time.sleep(0.1)
