"""`gradconform merge` from the command line: what is written, what is said, how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from oracle.cli import main
from oracle.results import Run, read_run
from oracle.results.merge import write_run
from tests.results.records import counterexample, header, result, run


def merge(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["merge", *map(str, arguments)], env={"COLUMNS": "300"})


def leg(path: Path, python: str, *rows: Any, **settings: Any) -> Path:
    """A results file of a run on this Python."""
    head = header()
    where = head.environment.model_copy(update={"python": f"CPython {python}", "numpy": "2.1", "torch": "2.5"})
    head = head.model_copy(update={"environment": where, "settings": head.settings.model_copy(update=settings)})
    found: Run = run(*(rows or (result(),)), header=head, **({"depths": ()} if settings else {}))
    write_run(path, found)
    return path


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    return leg(tmp_path / "a.jsonl", "3.10.2"), leg(tmp_path / "b.jsonl", "3.11.2")


def shards(folder: Path, n: int = 2, *rows: Any) -> list[Path]:
    return [leg(folder / f"s{k}.jsonl", "3.11.2", *rows, shard=(k, n)) for k in range(1, n + 1)]


def test_versions_become_a_page(two: tuple[Path, Path], tmp_path: Path) -> None:
    done = merge(*two, "--expect", "py310,py311", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "CONFORMS  py310 and py311 conform to PyTorch, each in 1 row." in done.output
    assert done.output.rstrip().endswith(f"Page:    {tmp_path / 'out' / 'legs.html'}")
    assert "py310" in (tmp_path / "out" / "legs.html").read_text("utf-8")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["legs.html"]


def test_a_missing_leg_is_an_error_and_the_page_has_what_is_there(two: tuple[Path, Path], tmp_path: Path) -> None:
    done = merge(*two, "--expect", "py310,py311", "--expect", "py312", "--out", tmp_path / "out")
    assert done.exit_code == 3 and "py312 is missing" in done.output
    page = (tmp_path / "out" / "legs.html").read_text("utf-8")
    assert "py312 is missing" in page and "py310" in page
    alone = merge(two[0], "--expect", "py310,py311", "--out", tmp_path / "alone")
    assert alone.exit_code == 3 and "py311 is missing" in (tmp_path / "alone" / "legs.html").read_text("utf-8")


def test_a_truncated_leg_is_an_error_and_a_divergence_wins(two: tuple[Path, Path], tmp_path: Path) -> None:
    whole = two[0].read_bytes()
    two[0].write_bytes(whole[: len(whole) - 30])
    done = merge(*two, "--out", tmp_path / "out")
    assert done.exit_code == 3 and "py310: the run was cut off before its end" in done.output
    bad = leg(tmp_path / "c.jsonl", "3.12.1", result(status="failed", n_failed=1, margin=9.0))
    assert merge(*two, bad, "--out", tmp_path / "out").exit_code == 1


def test_a_leg_that_is_there_twice_is_an_error_unless_it_is_named(two: tuple[Path, Path], tmp_path: Path) -> None:
    copy = leg(tmp_path / "c.jsonl", "3.11.2")
    done = merge(*two, copy, "--out", tmp_path / "out")
    assert done.exit_code == 3 and "py311 is there more than once" in done.output and str(copy) in done.output
    named = merge(*two, f"nightly={copy}", "--expect", "nightly", "--out", tmp_path / "out")
    assert named.exit_code == 0 and "nightly" in named.output


def test_shards_become_their_run(tmp_path: Path) -> None:
    parts = shards(tmp_path, 3)
    done = merge(*reversed(parts), "--out", tmp_path / "out")
    assert done.exit_code == 0 and "CONFORMS" in done.output, done.output
    found = read_run(tmp_path / "out" / "results.jsonl")
    assert found.results[0].n_judged == 30 and found.header.settings.shard is None
    assert (tmp_path / "out" / "index.html").is_file() and not (tmp_path / "out" / "legs.html").exists()
    assert merge(*parts, "--expect", "py311", "--out", tmp_path / "again").exit_code == 0
    assert (tmp_path / "again" / "results.jsonl").is_file()


def test_shards_of_another_leg_than_the_expected_one_are_no_verdict(tmp_path: Path) -> None:
    done = merge(*shards(tmp_path), "--expect", "py312", "--out", tmp_path / "out")
    assert done.exit_code == 3 and "py312 is missing" in done.output


def test_a_missing_shard_leaves_no_verdict_and_is_in_the_merged_file(tmp_path: Path) -> None:
    done = merge(*shards(tmp_path, 3)[1:], "--out", tmp_path / "out")
    assert done.exit_code == 3 and "shard 1 of 3 is missing" in done.output
    footer = read_run(tmp_path / "out" / "results.jsonl").footer
    assert footer is not None and footer.message == "shard 1 of 3 is missing"


def test_a_divergence_in_one_shard_is_the_runs(tmp_path: Path) -> None:
    bad = leg(tmp_path / "s1.jsonl", "3.11.2", result(status="failed", n_failed=1), shard=(1, 2))
    assert merge(bad, shards(tmp_path)[1], "--out", tmp_path / "out").exit_code == 0, "s1 was written over"
    bad = leg(tmp_path / "s1.jsonl", "3.11.2", result(status="failed", n_failed=1), shard=(1, 2))
    done = merge(bad, tmp_path / "s2.jsonl", "--out", tmp_path / "out")
    assert done.exit_code == 1 and "DIVERGES" in done.output


def test_shards_of_one_version_beside_another(two: tuple[Path, Path], tmp_path: Path) -> None:
    done = merge(two[0], *shards(tmp_path), "--out", tmp_path / "out")
    assert done.exit_code == 0 and "py310 and py311 conform" in done.output and (tmp_path / "out" / "legs.html").is_file()


def test_mistakes_are_told_with_what_to_do(two: tuple[Path, Path], tmp_path: Path) -> None:
    parts = shards(tmp_path)
    other = leg(tmp_path / "other.jsonl", "3.11.2", shard=(2, 2), seed=9)
    (tmp_path / "text").write_text("no results\n")
    folder = tmp_path / "in"
    copies = shards(folder)
    copies[0].rename(folder / "results.jsonl")
    for arguments, words in (
        ((two[0],), "is one whole run: there is nothing to put together"),
        ((two[0], two[0]), "is given twice"),
        ((tmp_path / "gone.jsonl",), "cannot read"),
        ((f"py311={tmp_path / 'gone.jsonl'}",), "cannot read"),
        ((f"={two[0]}",), "write it as py311=results.jsonl"),
        (("py311=",), "write it as py311=results.jsonl"),
        ((tmp_path / "text", two[0]), "is not a gradconform results file"),
        ((parts[0], other), "are not shards of one run: seed 1 and 9"),
        ((folder / "results.jsonl", copies[1], "--out", folder), "would be overwritten"),
        ((), "Missing argument"),
    ):
        done = merge(*arguments)
        assert done.exit_code == 2 and words in done.output, (arguments, done.output)
        assert "Traceback" not in done.output


def test_a_file_whose_name_has_an_equals_sign_is_a_file(two: tuple[Path, Path], tmp_path: Path) -> None:
    odd = two[0].rename(tmp_path / "x=y.jsonl")
    done = merge(odd, two[1], "--out", tmp_path / "out")
    assert done.exit_code == 0 and "py310" in done.output


def test_a_folder_that_cannot_be_written_is_told(two: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for files in (two, shards(tmp_path)):
        done = merge(*files, "--out", tmp_path / "file" / "out")
        assert done.exit_code == 2 and "--out" in done.output and "Traceback" not in done.output


def test_hostile_names_do_not_reach_the_terminal(tmp_path: Path) -> None:
    for n, python in enumerate(("3.1\x1b[31m", "\u202e3.2")):
        leg(tmp_path / f"{n}.jsonl", python)
    done = merge(f"a\x1b[2J={tmp_path / '0.jsonl'}", tmp_path / "1.jsonl", "--expect", "\x1b[31m", "--out", tmp_path / "out")
    assert done.exit_code == 3 and not any(c in done.output for c in "\x1b\u202e")
    text = (tmp_path / "out" / "legs.html").read_text("utf-8")
    assert "\x1b" not in text and "\u202e" not in text
    broken = merge(f"b\x1b[31m={tmp_path / '0.jsonl'}", f"b\x1b[31m={tmp_path / '0.jsonl'}")
    assert broken.exit_code == 2 and "\x1b" not in broken.output


def test_a_counterexample_reaches_the_page(tmp_path: Path) -> None:
    found = run(result(status="failed", n_failed=1), header=header(), counterexamples=(counterexample(diagnosis="because of this"),))
    write_run(tmp_path / "b.jsonl", found)
    done = merge(leg(tmp_path / "a.jsonl", "3.10.1"), tmp_path / "b.jsonl", "--out", tmp_path / "out")
    assert done.exit_code == 1 and "Likely cause: because of this" in done.output
    assert "because of this" in (tmp_path / "out" / "legs.html").read_text("utf-8")


def test_help_teaches() -> None:
    told = CliRunner().invoke(main, ["merge", "--help"]).output
    for words in ("--expect", "LABEL", "shard", "Exit codes:", "legs.html"):
        assert words in told


def test_a_folder_stands_for_the_results_in_it(tmp_path: Path) -> None:
    for python in ("3.10.2", "3.11.2"):
        (tmp_path / "legs" / python).mkdir(parents=True)
        leg(tmp_path / "legs" / python / "results.jsonl", python)
    done = merge(tmp_path / "legs", "--expect", "py310,py311", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    nothing = merge(tmp_path / "out", "--out", tmp_path / "other")
    assert nothing.exit_code == 2 and "neither results.jsonl nor FOLDER/results.jsonl" in nothing.output
    one_by_one = merge(*(tmp_path / "legs").iterdir(), "--expect", "py310,py311", "--out", tmp_path / "again")
    assert one_by_one.exit_code == 0, one_by_one.output
