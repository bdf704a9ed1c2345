"""A diff in the terminal, as a log file or a plain terminal would get it; and as JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import ModuleType

import diff_runs
import pytest
from rich.console import Console
from subject_runs import poisoned

from oracle.results import Run
from oracle.results.diff import MARKS, Change, Difference, Moved, Replay, diff, settled
from reports import reporter
from reports.diff_groups import Group, answer, because, groups, outcome, sentence
from reports.diff_json import diff_document
from reports.diff_text import LISTED, SHOWN, print_diff
from tests.gold_files import assert_gold


def printed(difference: Difference, encoding: str = "utf-8", **options: object) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    print_diff(difference, Console(file=file, **{"width": 100, **options}))  # type: ignore[arg-type]
    return raw.getvalue().decode(encoding)


@pytest.fixture(scope="module")
def pair(make: ModuleType) -> tuple[Run, Run]:
    return diff_runs.mixed(make)


@pytest.fixture(scope="module")
def difference(pair: tuple[Run, Run]) -> Difference:
    return diff(*pair)


def test_the_text_is_what_it_was(difference: Difference) -> None:
    assert_gold("diff.txt", printed(difference))


def test_the_most_important_comes_first_and_the_verdict_last(difference: Difference) -> None:
    text = printed(difference)
    heads = [line.split("  ") for line in text.splitlines() if line[:1].strip()]
    marks = [parts[1] for parts in heads if len(parts) > 1 and parts[1] in MARKS]
    assert list(dict.fromkeys(marks)) == [mark for mark in MARKS if mark != "not reached"]
    assert text.splitlines()[0].startswith("THE ORACLE MOVED")
    assert text.splitlines()[-1].startswith("REGRESSION  4 newly failing, ")


def test_rows_that_change_alike_are_one_line(difference: Difference) -> None:
    lines = printed(difference).splitlines()
    assert "SoftmaxWithLoss backward.dx  newly failing  one-hot float64 and 3 more rows" in lines
    lost = sum(c.mark == "lost coverage" for c in difference.changes)
    assert f"MulLayer {lost} rows  lost coverage  plain float64 and 3 more" in lines and lost > 40


def test_a_group_keeps_rows_apart_that_changed_for_another_reason(difference: Difference) -> None:
    first = next(c for c in difference.changes if c.mark == "newly failing")
    others = [
        first._replace(causes=("environment",)),
        first._replace(mark="newly found"),
        first._replace(key=("Other", *first.key[1:])),
        first._replace(key=(*first.key[:3], "backward.dW")),
        first._replace(replay="Its case holds here."),
        first._replace(example=None),
    ]
    assert [len(group.changes) for group in groups([first, *others, first])] == [2, 1, 1, 1, 1, 1, 1]


def test_a_minimised_case_stands_for_its_group(difference: Difference) -> None:
    first = next(c for c in difference.changes if c.mark == "newly failing")
    assert first.example is not None
    raw = first._replace(example=first.example.model_copy(update={"minimised": None, "id": "raw"}))
    (group,) = groups([raw, first])
    assert group.lead == first


@pytest.mark.parametrize(
    ("causes", "replayed", "told"),
    [
        (("code",), False, "Cause: code."),
        (("code", "inputs"), False, "Cause: code or inputs; --replay tells."),
        (("code", "inputs"), True, "Cause: code or inputs."),
        (("code", "check", "environment"), True, "Cause: code, check or environment."),
        ((), False, "Cause: unknown. Nothing that is recorded differs; the layer may not give the same answer twice."),
    ],
)
def test_every_possible_cause_is_named(difference: Difference, causes: tuple[str, ...], replayed: bool, told: str) -> None:
    first = next(c for c in difference.changes if c.mark == "newly failing")
    assert because(Group(first.mark, (first._replace(causes=causes),)), replayed) == told  # type: ignore[arg-type]


def test_what_a_replay_has_shown_is_told(difference: Difference) -> None:
    changes = [settled(c, Replay(False, None, "BEFORE", "both")) if c.mark == "newly found" else c for c in difference.changes]
    lines = printed(difference.with_changes(changes, replayed=True)).splitlines()
    at = lines.index("Relu cotangent.unchanged  newly failing  plain float32")
    assert lines[at + 1 : at + 4] == [
        "  Judged again with BEFORE's code, the case holds.",
        "  Cause: code.",
        "  Its case holds here, with BEFORE's code in the environment of both runs: it is the code.",
    ]
    assert "--replay tells" not in "\n".join(lines)


def test_an_unsteady_layer_is_not_called_so_twice(difference: Difference) -> None:
    first = next(c for c in difference.changes if c.mark == "newly failing")
    text = printed(difference.with_changes([settled(first, Replay(False, None, "both", "both"))], replayed=True))
    assert text.count("the same answer twice") == 1


def test_a_run_compared_with_itself_says_so_in_two_lines_at_most(pair: tuple[Run, Run]) -> None:
    for run in pair:
        lines = [line for line in printed(diff(run, run)).splitlines() if line]
        assert lines[-1].startswith("NO REGRESSION  No row changed of ") and len(lines) <= 2
        assert len(lines) == 1 or lines[0].startswith("Still failing in the same way: ")


def test_a_run_that_was_cut_off_is_told_and_does_not_mend_anything(pair: tuple[Run, Run]) -> None:
    before = pair[0]
    found = diff(before, diff_runs.cut_off(before))
    lines = printed(found).splitlines()
    assert {c.mark for c in found.changes if c.differs} == {"not reached", "still failing"}
    assert "AFTER was cut off before its end." in lines and "1 line of AFTER could not be read." in lines
    assert lines[-1].startswith("NO REGRESSION, INCOMPLETE  ") and outcome(found) == "NO REGRESSION, INCOMPLETE"


def test_of_many_changes_the_first_are_told_and_the_others_counted(difference: Difference) -> None:
    first = next(c for c in difference.changes if c.mark == "newly failing")
    many = [first._replace(key=(f"Layer{at}", *first.key[1:])) for at in range(SHOWN + 5)]
    moved = tuple(Moved(f"Layer{at}", "forward.y", "actual", 3, 1, None, "d") for at in range(LISTED + 3))
    lines = printed(difference.with_changes(many, replayed=False)._replace(moved=moved)).splitlines()
    assert sum("  newly failing  " in line for line in lines) == SHOWN and "... and 5 more changes of this kind: newly failing." in lines
    assert "... and 3 more." in lines


def test_an_answer_that_moved_says_whose_how_far_and_why() -> None:
    near = Moved("Affine", "forward.y", "expected", 2, 1, 1234, "d", ("environment",))
    assert answer(near) == "Affine forward.y: torch's answer moved by up to 1,234 ULP, on 1 of 2 same inputs. Cause: environment."
    far = near._replace(side="actual", ulp=None, causes=())
    assert answer(far).startswith("Affine forward.y: the layer's answer moved beyond any distance")
    assert answer(far).endswith("though nothing that is recorded differs.")


def test_the_sentence_counts_rows(difference: Difference) -> None:
    marks = [c.mark for c in difference.changes]
    told = sentence(difference)
    for mark in set(marks):
        assert f"{marks.count(mark)} {mark}" in told
    assert sentence(difference._replace(changes=(), n_new=3)) == f"3 new of {difference.n_rows} rows."


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_hostile_text_stays_text(pair: tuple[Run, Run], encoding: str) -> None:
    found = diff(*[poisoned(run) for run in pair])
    assert {c.mark for c in found.changes} >= {"newly found", "lost coverage", "still failing"}
    text = printed(found, encoding)
    assert not any(c in text for c in "\x1b\u202e\u2066\x00") and "[bold]red[/bold]" in text


def test_the_document_is_strict_json_and_says_the_same(difference: Difference, pair: tuple[Run, Run], tmp_path: Path) -> None:
    def refuse(name: str) -> float:
        raise ValueError(name)

    path = reporter("diff-json")(difference, tmp_path / "diff.json")
    found = json.loads(path.read_text(encoding="ascii"), parse_constant=refuse)
    assert found == json.loads(json.dumps(diff_document(difference)))
    assert (found["outcome"], found["exit_code"], found["counts"]["newly failing"]) == ("REGRESSION", 1, 4)
    assert [c["mark"] for c in found["changes"]] == [c.mark for c in difference.changes]
    first = found["changes"][0]
    assert first["causes"] == ["code"] and first["before"]["status"] == "passed" and first["after"]["status"] == "failed"
    assert found["moved"][0]["side"] == "expected" and found["survived"] == [{"layer": "Relu", "family": "handling", "name": "nan"}]
    assert all(side["before"] != side["after"] for side in found["sides"])


@pytest.mark.parametrize(("margin", "written"), [(float("nan"), "NaN"), (float("inf"), "Infinity"), (-float("inf"), "-Infinity")])
def test_numbers_that_json_lacks_are_words(difference: Difference, margin: float, written: str) -> None:
    first: Change = difference.changes[0]
    assert first.after is not None
    odd = first._replace(after=first.after.model_copy(update={"margin": margin}))
    assert diff_document(difference.with_changes([odd], replayed=False))["changes"][0]["after"]["margin"] == written
