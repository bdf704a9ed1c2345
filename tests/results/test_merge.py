"""Shards put together: any partition of any run adds up to it, in any order; what does not belong together is refused by name."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.results import (
    ComparisonData,
    Footer,
    Gate,
    Health,
    Known,
    Note,
    Planted,
    ResultsError,
    Run,
    Sample,
    Seen,
    Settings,
    Worst,
)
from oracle.results.codec import assembled, read_run
from oracle.results.merge import merge_shards, write_run
from tests.results.records import counterexample, depth, footer, header, result

BRANCHES = ("matrix", "any-rank")
DTYPES = ("float64", "float32")
NAME = "backward.dx"


class Tried(NamedTuple):
    """One case of a made-up run."""

    group: int
    digest: int
    margin: float
    fails: bool
    sampled: bool


def declared(shard: tuple[int, int] | None, seed: int = 1, **changes: Any) -> Any:
    first = header(NAME)
    info = first.layers[0].model_copy(update={"branches": BRANCHES, "source": "abc"})
    settings = Settings(layers=("Relu",), examples=10, seed=seed, dtypes=DTYPES, workers=1, shard=shard)
    return first.model_copy(update={"settings": settings, "layers": (info,), "run_id": f"r{shard}", **changes})


def made(cases: Sequence[tuple[int, Tried]], shard: tuple[int, int] | None, **changes: Any) -> Run:
    """The run that has tried `cases`, as the judge would write it."""
    records: list[Any] = []
    groups = [(b, d) for b in BRANCHES for d in DTYPES]
    leads: set[str] = set()
    for at, (branch, dtype) in enumerate(groups):
        own = [(i, case) for i, case in cases if case.group == at]
        if own:
            where = {"layer": "Relu", "branch": branch, "dtype": dtype}
            records += _records(where, own, shard, f"reason{at % 2}", leads)
    worst = min(((-case.margin, i, case) for i, case in cases), default=None)
    if worst:
        branch, dtype = groups[worst[2].group]
        found = ComparisonData(reason="value", message="", margin=-worst[0])
        where = {"layer": "Relu", "branch": branch, "dtype": dtype, "quantity": NAME, "protocol": "plain", "layout": "C"}
        records.append(Worst(**where, seed=1, index=worst[1], comparison=found, shapes={}))
    return assembled(declared(shard, **changes), [*records, footer()])


def _records(where: dict[str, str], own: list[tuple[int, Tried]], shard: tuple[int, int] | None, reason: str, leads: set[str]) -> list[Any]:
    failing = [(i, case) for i, case in own if case.fails]
    margin, at = min((-case.margin, i) for i, case in own)
    digests = {case.digest for _, case in own}
    shapes = {f"shape{case.digest % 3}" for _, case in own}
    judged = result(
        **where,
        n_judged=len(own),
        n_failed=len(failing),
        margin=-margin,
        worst_case=at,
        status="failed" if failing else "passed",
        worst_outcome="differs" if failing else None,
        message=f"of case {failing[0][0]}" if failing else "",
        first_failed=failing[0][0] if failing else None,
        margins=dict(Counter(f"2^{case.digest % 4}" for _, case in own)),
    )
    counts = {"n_distinct": len(digests), "n_shapes": len(shapes), "extents": {"1,1": len(own)}, "profiles": {"normal": len(own)}}
    deep = depth(**where, n_cases=len(own), **counts)
    records: list[Any] = [judged, deep]
    if shard:
        packed = base64.b64encode(struct.pack(f"<{len(digests)}Q", *sorted(digests))).decode()
        records.append(Seen(**where, cases=packed, shapes=tuple(sorted(shapes))))
    if failing:
        index, case = failing[0]
        raw = counterexample(f"Relu-{where['branch']}-{where['dtype']}-{NAME}-s1", **where, index=index)
        told = ComparisonData(reason=reason, message="", margin=case.margin)
        if reason in leads:
            records.append(raw.model_copy(update={"comparison": told}))
        else:
            whole = told.model_copy(update={"message": f"worked out {index}", "worst_index": (0,)})
            small = {"minimised": raw.case, "minimised_comparison": whole, "snippet": f"case {index}", "diagnosis": "why"}
            records.append(raw.model_copy(update={"comparison": whole, **small}))
        leads.add(reason)
    kept = [i for i, case in own if case.sampled][:2]
    x = counterexample().case
    records += [Sample(**where, index=i, digest=f"{i}", case=x, actual={NAME: x.inputs["x"]}, expected={}) for i in kept]
    return records


CASES = st.lists(
    st.builds(
        Tried,
        group=st.integers(0, 3),
        digest=st.sampled_from([0, 1, 2, 5, 2**64 - 1]),
        margin=st.sampled_from([0.0, 0.25, 0.5, 3.0, math.inf]),
        fails=st.booleans(),
        sampled=st.booleans(),
    ),
    max_size=30,
)


def _text(record: Any) -> str:
    return json.dumps(json.loads(record.model_dump_json()), sort_keys=True)


def told(run: Run) -> dict[str, Any]:
    """A run in an order of its own, without what shards may change."""
    asked = run.header.settings.model_copy(update={"shard": None})
    header_ = run.header.model_copy(update={"run_id": "", "settings": asked})
    names = ("results", "depths", "counterexamples", "worsts", "samples", "notes")
    parts = {name: sorted(_text(record) for record in getattr(run, name)) for name in names}
    return {**parts, "header": header_, "outcome": run.footer.outcome if run.footer else None}


@given(cases=CASES, n=st.integers(1, 4), data=st.data())
def test_any_partition_of_any_run_adds_up_to_it_in_any_order(cases: list[Tried], n: int, data: st.DataObject) -> None:
    numbered = list(enumerate(cases))
    shares: list[list[tuple[int, Tried]]] = [[] for _ in range(n)]
    for pair in numbered:
        shares[data.draw(st.integers(0, n - 1), label="shard")].append(pair)
    shards = {f"f{n - k}": made(share, (k + 1, n)) for k, share in enumerate(shares)}
    order = data.draw(st.permutations(list(shards)))
    merged = merge_shards({name: shards[name] for name in order})
    assert told(merged) == told(made(numbered, None))
    assert merged == merge_shards(shards)
    assert merged == merge_shards({f"f{k}": made(share, (k + 1, n)) for k, share in enumerate(shares)}), "whatever the files are called"


TWO = base64.b64encode(b"a digest another").decode()
PAIR = [(i, Tried(i % 4, i, 0.5, i % 3 == 0, True)) for i in range(12)]


def pair(**changes: Any) -> dict[str, Run]:
    return {"one": made(PAIR[:6], (1, 2)), "two": made(PAIR[6:], (2, 2), **changes)}


def message(run: Run) -> str:
    assert run.footer is not None and run.footer.outcome == "failed"
    return run.footer.message


def test_a_missing_shard_is_named() -> None:
    assert message(merge_shards({"one": pair()["one"]})) == "shard 2 of 2 is missing"
    assert message(merge_shards({"x": made(PAIR, (3, 5))})) == "shards 1, 2, 4, 5 of 5 are missing"
    many = message(merge_shards({"x": made(PAIR, (3, 10**15))}))
    assert many == "shards 1, 2, 4, 5, 6, 7, 8, 9, 10, 11 and 999,999,999,999,989 more of 1,000,000,000,000,000 are missing"


def test_a_shard_that_is_there_twice_counts_once_and_is_named() -> None:
    shards = pair()
    merged = merge_shards({"zwei": made(PAIR[5:], (2, 2)), **shards})
    assert message(merged) == "shard 2 of 2 is there twice, in two and in zwei: only the first was counted"
    assert merged.results == merge_shards(shards).results


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"footer": None}, "it has no end"),
        ({"n_damaged": 3}, "3 of its lines could not be read"),
        ({"footer": footer("interrupted", "stopped by the user")}, "it was interrupted: stopped by the user"),
        ({"footer": footer("failed")}, "it broke off"),
    ],
)
def test_a_truncated_shard_is_named(changes: dict[str, Any], words: str) -> None:
    shards = pair()
    shards["two"] = shards["two"].model_copy(update=changes)
    assert message(merge_shards(shards)) == f"shard 2 of 2, two, is truncated: {words}"


@pytest.mark.parametrize("changes", [{"cases": ""}, {"cases": TWO}, {"shapes": ("a", "b")}], ids=str)
def test_a_shard_that_does_not_tell_what_it_has_seen_is_named(changes: dict[str, Any]) -> None:
    shards = pair()
    first, *rest = shards["two"].seen
    for seen in (rest, [first.model_copy(update=changes), *rest]):
        shards["two"] = shards["two"].model_copy(update={"seen": tuple(seen)})
        assert message(merge_shards(shards)).startswith("two does not tell which cases it has seen")


@pytest.mark.parametrize("damage", ["!", "AAAAAAAAAA"])
def test_a_shard_whose_digests_are_damaged_is_refused(damage: str) -> None:
    shards = pair()
    broken = shards["two"].seen[0].model_copy(update={"cases": damage})
    shards["two"] = shards["two"].model_copy(update={"seen": (broken, *shards["two"].seen[1:])})
    with pytest.raises(ResultsError, match="two is damaged"):
        merge_shards(shards)


def _layer(**changes: Any) -> dict[str, Any]:
    return {"layers": (declared(None).layers[0].model_copy(update=changes),)}


def _environment(**changes: Any) -> dict[str, Any]:
    return {"environment": declared(None).environment.model_copy(update=changes)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 2}, "seed 1 and 2"),
        (_layer(source="def"), "the code of Relu differs"),
        (_layer(check_version=2), "check version of Relu 1 and 2"),
        (_layer(torch="u"), "Relu is declared otherwise"),
        (_environment(numpy="3"), "numpy 2 and 3"),
        ({"contracts": ()}, "they declare other contracts"),
        ({"expected": ()}, "they declare other rows"),
        ({"gate": Gate(floor=1)}, "they declare other lists of known divergences"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_shards_of_different_runs_are_refused_by_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ResultsError, match=f"^one and two are not shards of one run: {words}"):
        merge_shards(pair(**changes))


def test_other_numbers_of_shards_and_whole_runs_are_refused() -> None:
    with pytest.raises(ResultsError, match="number of shards 2 and 3"):
        merge_shards({"one": made(PAIR, (1, 2)), "two": made(PAIR, (2, 3))})
    with pytest.raises(ResultsError, match="two is no shard but a whole run"):
        merge_shards({"one": made(PAIR, (1, 2)), "two": made(PAIR, None)})
    for impossible in ((3, 2), (0, 2), (0, 0)):
        with pytest.raises(ResultsError, match="one says that it is shard"):
            merge_shards({"one": made(PAIR, impossible)})


def test_where_a_shard_was_judged_may_differ_and_is_told() -> None:
    merged = merge_shards(pair(**_environment(platform="other", dirty=True), **_layer(target="elsewhere/layers.py")))
    assert merged.header.environment.platform == "p; other" and merged.header.environment.dirty
    assert merged.footer is not None and merged.footer.outcome == "complete"


def test_times_and_commands_are_put_together() -> None:
    shards = pair(command="d", started="before")
    end = Footer(finished="zuletzt", seconds=2.5, outcome="complete")
    shards["one"] = shards["one"].model_copy(update={"footer": end})
    merged = merge_shards(shards)
    assert (merged.header.command, merged.header.started) == ("c\nd", "before")
    assert merged.footer == Footer(finished="zuletzt", seconds=4.0, outcome="complete")


def test_a_list_of_known_divergences_holds_for_all_shards_together(tmp_path: Path) -> None:
    gate = Gate(
        known=(
            Known(layer="Relu", branch="matrix", quantity=NAME, reason="slow"),
            Known(layer="Relu", branch="any-rank", quantity=NAME, reason="r"),
        )
    )
    failing = [(i, Tried(0, i, 3.0, i == 7, False)) for i in range(8)] + [
        (i, Tried(g, i, 0.0, False, False)) for i in (8, 9) for g in (1, 2, 3)
    ]
    shards = {"one": made(failing[:5], (1, 2), gate=gate), "two": made(failing[5:], (2, 2), gate=gate)}
    assert {r.status for r in shards["two"].results} == {"known", "passed"}
    merged = merge_shards(shards)
    assert {(r.branch, r.dtype): r.status for r in merged.results} == {
        ("matrix", "float64"): "known",
        ("matrix", "float32"): "passed",
        ("any-rank", "float64"): "stale",
        ("any-rank", "float32"): "stale",
    }
    write_run(tmp_path / "m", merged)
    assert read_run(tmp_path / "m") == merged
    statuses = [json.loads(line).get("status") for line in (tmp_path / "m").read_text().splitlines()]
    assert set(statuses) == {None, "failed", "passed"}, "a file holds what was found, not what a list makes of it"


def test_the_message_of_a_row_is_that_of_its_first_failing_case() -> None:
    cases = [(0, Tried(0, 0, 2.0, True, False)), (1, Tried(0, 1, 9.0, True, False))]
    for shares in ((cases[:1], cases[1:]), (cases[1:], cases[:1])):
        (row,) = merge_shards({str(k): made(share, (k, 2)) for k, share in enumerate(shares, 1)}).results
        assert (row.message, row.margin, row.worst_case) == ("of case 0", 9.0, 1)


def test_a_subject_that_could_not_be_judged_counts_once() -> None:
    row = result(
        "subject.loads", role="contract", status="error", n_judged=1, n_failed=1, margin=None, worst_case=None, message="no such file"
    )
    shards = {name: run.model_copy(update={"results": (*run.results, row)}) for name, run in pair().items()}
    (found,) = (r for r in merge_shards(shards).results if r.quantity == "subject.loads")
    assert found == row


def test_notes_that_every_shard_writes_are_told_once() -> None:
    notes = [(Note(layer="a", title="t", text=text), Note(layer="a", title=text, text="u")) for text in ("1", "2")]
    shards = {name: run.model_copy(update={"notes": own}) for (name, run), own in zip(pair().items(), notes, strict=True)}
    assert [(n.title, n.text) for n in merge_shards(shards).notes] == [("t", "1"), ("1", "u"), ("2", "u")]


def test_what_only_the_first_shard_has_is_kept() -> None:
    planted = Planted(layer="Relu", family="f", name="n", fault="x", n_cases=3, rows=("r",))
    health = Health(layer="Relu", branch="matrix", quantity=NAME, n_cases=1, n_elements=2)
    shards = pair(n_planted=None)
    first = shards["one"]
    changed = first.header.model_copy(update={"n_planted": 1, "corpus": ("d",)})
    shards["one"] = first.model_copy(update={"header": changed, "planted": (planted,), "health": (health,)})
    merged = merge_shards(shards)
    assert (merged.planted, merged.health, merged.header.n_planted, merged.header.corpus) == ((planted,), (health,), 1, ("d",))


def test_everything_that_is_written_comes_back(tmp_path: Path) -> None:
    merged = merge_shards(pair())
    note = Note(layer="Relu", title="t", text="u")
    whole = merged.model_copy(update={"notes": (note,), "depths": (*merged.depths, depth(branch="other"))})
    write_run(tmp_path / "new" / "m", whole)
    assert read_run(tmp_path / "new" / "m") == whole
