"""Whose code and environment it is in which a stored case is judged again, and what cannot be judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oracle.results import LayerInfo, Run
from oracle.results.diff import Replay, diff, machine
from oracle.search.rejudge import NotJudgedError, Replayer, _whose
from oracle.subjects.target import Target, parse_target
from tests.results.diffing import CASE, FAILS, HOLDS, ONE, failing, made


@pytest.mark.parametrize(
    ("here", "before", "after", "whose"),
    [
        ("a", "a", "a", "both"),
        ("a", "a", "b", "BEFORE"),
        ("b", "a", "b", "AFTER"),
        ("c", "a", "b", "neither"),
        ("a", "a", "", "BEFORE"),
        ("c", "a", "", "unknown"),
        ("c", "", "", "unknown"),
        ("", "a", "b", "unknown"),
        ("", "", "b", "unknown"),
    ],
)
def test_whose_it_is_that_is_here(here: str, before: str, after: str, whose: str) -> None:
    assert _whose(here, before, after) == whose


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"platform": "Linux-6.1-x86_64-with-glibc2.36"}, True),
        ({"platform": "Linux-6.5-x86_64-with-glibc2.35"}, False),
        ({"platform": "macOS-15.1-arm64-arm-64bit"}, False),
        ({"hypothesis": "9"}, True),
        ({"commit": "c2", "dirty": True}, True),
        ({"blas": "b2"}, False),
        ({"torch": "9"}, False),
    ],
)
def test_what_of_an_environment_counts(changes: dict[str, Any], same: bool) -> None:
    here = made(HOLDS, environment={"platform": "Linux-6.5-x86_64-with-glibc2.36"}).header.environment
    assert (machine(here) == machine(here.model_copy(update=changes))) is same


def subject(name: str, target: str) -> LayerInfo:
    return made(HOLDS).header.layers[0].model_copy(update={"name": name, "target": target})


def of(*infos: LayerInfo) -> Run:
    found = made(HOLDS)
    return found.model_copy(update={"header": found.header.model_copy(update={"layers": infos})})


def target(path: str) -> Target:
    return Target(path, "file", path, None)


@pytest.mark.parametrize(
    ("layers", "targets", "chosen"),
    [
        (("a.py",), ("/x/a.py",), "/x/a.py"),
        (("a.py:Relu",), ("/x/b.py", "/y/a.py"), "/y/a.py"),
        (("a.py",), ("/x/b.py",), "/x/b.py"),
        (("a.py", "b.py"), ("/x/b.py",), None),
        (("a.py", "b.py"), ("/x/c.py", "/x/d.py"), None),
        (("a.py",), (), None),
    ],
)
def test_the_code_of_one_file_is_never_tried_on_the_cases_of_another(
    layers: tuple[str, ...], targets: tuple[str, ...], chosen: str | None
) -> None:
    infos = [subject(f"layer{at}", text) for at, text in enumerate(layers)]
    replayer = Replayer(of(*infos), of(*infos), [target(path) for path in targets])
    if chosen is None:
        with pytest.raises(NotJudgedError, match="--target"):
            replayer._target(infos[0])
    else:
        assert replayer._target(infos[0]).where == chosen


def test_a_layer_that_is_not_here_any_more_is_told_and_changes_nothing() -> None:
    info = {"name": "Gone", "spec": "Gone"}
    before = made(HOLDS.model_copy(update={"layer": "Gone"}), info=info)
    after = made(FAILS.model_copy(update={"layer": "Gone"}), info=info, **failing(layer="Gone"))
    found = diff(before, after)
    (change,) = Replayer(before, after).settle(found, lambda layer: None).changes
    assert (change.mark, change.causes) == (found.changes[0].mark, found.changes[0].causes)
    assert change.replay.startswith("Not judged again: ") and "Gone" in change.replay


def test_a_stored_case_of_a_branch_that_is_gone_is_told() -> None:
    info = {"branches": ("matrix", "old")}
    case = failing()["counterexamples"][0].case.model_copy(update={"branch": "old"})
    before, after = made(HOLDS, info=info), made(FAILS, info=info, **failing(case=case))
    (change,) = Replayer(before, after).settle(diff(before, after), lambda layer: None).changes
    assert change.replay == "Not judged again: Relu has no branch 'old' here."


@pytest.mark.parametrize("changes", [{"inputs": {}}, {"dtype": "int8"}, {"layout": "none"}, {"cotangents": {}}])
def test_a_stored_case_that_does_not_fit_is_told(changes: dict[str, Any]) -> None:
    case = CASE.model_copy(update={"cotangents": {"out": ONE}, "config": {}, **changes})
    before, after = made(HOLDS), made(FAILS, **failing(case=case))
    (change,) = Replayer(before, after).settle(diff(before, after), lambda layer: None).changes
    assert change.replay.startswith("Not judged again: ") and change.mark == "newly failing"


def test_only_what_is_in_doubt_is_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def replay(self: Replayer, change: Any, *_: Any) -> Replay:
        asked.append(change.mark)
        return Replay(True, None, "both", "both")

    monkeypatch.setattr(Replayer, "_replay", replay)
    holding, diverging = made(HOLDS), made(FAILS, **failing())
    for before, after in ((holding, diverging), (diverging, diverging), (holding, made())):
        Replayer(before, after).settle(diff(before, after), lambda layer: None)
    assert asked == ["newly failing"]


def test_a_target_of_another_folder_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text("class Relu: ...\n")
    info = subject("a", "lessons/layers.py:Relu")
    assert Replayer(of(info), of(info), [parse_target(str(tmp_path / "layers.py"))])._target(info).where == str(tmp_path / "layers.py")
