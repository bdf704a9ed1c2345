"""Planted faults: a run convicts every one of them, for the fault's own reason, and a judge that does not see lets them live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from oracle.core import contracts, judge, observe, torch_side
from oracle.core.claims import claimed
from oracle.core.contracts import CONTRACTS
from oracle.core.observe import watching
from oracle.results.model import Planted
from oracle.search.likeness import spec_like
from oracle.search.numbered import cases
from oracle.search.planted import boundaries as at_boundaries
from oracle.search.planted import n_planted, planted_faults, planted_in
from oracle.search.planted.right import Right, told, told_spec
from oracle.specs import all_specs, spec_named

DTYPES = ("float64", "float32")
CASES = 2000
SEED = 20261124
NAMES = tuple(all_specs())


def survivors(found: Sequence[Planted]) -> set[str]:
    return {record.name for record in found if not record.convicted}


@pytest.mark.parametrize("name", NAMES)
def test_every_fault_is_convicted_on_a_row_of_its_own(name: str) -> None:
    spec = spec_named(name)
    faults = {fault.name: fault for fault in planted_faults(spec, DTYPES)}
    found = list(planted_in(spec, "mine", SEED, DTYPES, CASES))
    assert not survivors(found)
    assert sorted(record.name for record in found) == sorted(faults) and len(found) == n_planted(spec, DTYPES)
    for record in found:
        rows = [row.split(" ") for row in record.rows]
        assert {quantity for *_, quantity in rows} & set(faults[record.name].on), record
        assert all(branch in spec.branches and dtype in DTYPES for branch, dtype, _ in rows)
        assert all(quantity in (*spec.quantities, *CONTRACTS) for *_, quantity in rows)
        # a slip in a fault itself would show as an exception
        assert "call.answers" not in {quantity for *_, quantity in rows} or record.name == "empty-raises", record
        assert record.layer == "mine" and record.fault and 0 < record.n_cases < CASES


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("name", NAMES)
def test_every_fault_is_convicted_in_one_dtype_alone(name: str, dtype: str) -> None:
    assert not survivors(list(planted_in(spec_named(name), name, SEED, (dtype,), CASES)))


@pytest.mark.parametrize("name", NAMES)
def test_the_unspoiled_layer_has_no_finding(name: str) -> None:
    spec = told_spec(spec_named(name))
    right = Right(spec)
    with watching():
        for index, case in cases(spec, SEED, (*DTYPES, "float16"), 0, CASES):
            assert not judge.judge(spec, right, told(case), measure=False).findings, index


def test_there_are_many_of_them_in_every_family() -> None:
    faults = [fault for name in NAMES for fault in planted_faults(spec_named(name), DTYPES)]
    assert {fault.family for fault in faults} == {
        "values", "gradients", "precision", "boundaries", "shapes and dtypes", "memory", "state", "handling", "labels",
    }  # fmt: skip
    assert len({fault.name for fault in faults}) > 60
    assert all(
        len({fault.name for fault in planted_faults(spec_named(name), DTYPES)}) == n_planted(spec_named(name), DTYPES) for name in NAMES
    )


@pytest.mark.parametrize("name", NAMES)
def test_declaring_them_needs_no_torch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("torch was asked")

    monkeypatch.setattr(torch_side, "evaluate", fail)
    assert n_planted(spec_named(name), DTYPES) > 15


def test_a_comparison_that_lets_everything_pass_lets_them_live(monkeypatch: pytest.MonkeyPatch) -> None:
    real = judge.compare

    def blind(*args: Any, **named: Any) -> Any:
        return real(*args, **named)._replace(ok=True)

    monkeypatch.setattr(judge, "compare", blind)
    found = list(planted_in(spec_named("Sigmoid"), "Sigmoid", SEED, DTYPES, 200))
    alive = {record.family for record in found if not record.convicted}
    assert {"values", "gradients", "precision", "boundaries"} <= alive
    assert "memory" not in alive and "shapes and dtypes" not in alive


def test_a_bound_a_thousand_times_too_wide_shows_in_its_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    real = judge.compare

    def wide(quantity: str, actual: Any, expected: Any, ball: Any, measure: bool = True) -> Any:
        if ball.p.dtype == "float32" and ball.r is not None:
            ball = type(ball)(ball.p, ball.v, ball.r * 1000)
        return real(quantity, actual, expected, ball, measure)

    monkeypatch.setattr(judge, "compare", wide)
    alive = survivors(list(planted_in(spec_named("Affine"), "Affine", SEED, DTYPES, 400)))
    assert {f"one-element-{q}-float32" for q in ("forward.out", "backward.dx", "backward.dW")} <= alive
    assert not any(name.endswith("float64") for name in alive)


@pytest.mark.parametrize(
    ("guard", "blinded", "alive"),
    [
        ("_unchanged", lambda *_: None, {"writes-input", "writes-parameter", "backward-writes-input"}),
        ("_own_memory", lambda *_: False, {"hands-back-input", "result-overwritten", "gradient-buffer"}),
    ],
)
def test_a_guard_that_is_off_lets_them_live(guard: str, blinded: Any, alive: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, guard, blinded)
    assert survivors(list(planted_in(spec_named("Affine"), "Affine", SEED, DTYPES, 400))) == alive


@pytest.mark.parametrize(
    ("lost", "alive"),
    [
        ("backward-twice", {"repeated", "forgotten"}),
        ("backward-first", {"answers-too-early", "spoiled-too-early"}),
        ("reshaped", {"first-shape"}),
    ],
)
def test_a_protocol_that_is_never_tried_lets_them_live(lost: str, alive: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from oracle.core import draw

    strata = tuple("plain" if protocol == lost else protocol for protocol in draw._PROTOCOL_OF_STRATUM)
    monkeypatch.setattr(draw, "_PROTOCOL_OF_STRATUM", strata)
    assert survivors(list(planted_in(spec_named("Affine"), "Affine", SEED, DTYPES, 600))) == alive


def test_numbers_that_are_never_drawn_let_them_live_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from oracle.core import draw, profiles

    monkeypatch.setattr(draw.profiles, "sprinkled", lambda rng, a: a)
    monkeypatch.setattr(profiles, "ARRAY", tuple(p for p in profiles.ARRAY if p.name != "subnormal"))
    found = list(planted_in(spec_named("Sigmoid"), "Sigmoid", SEED, DTYPES, 600))
    alive = [record for record in found if not record.convicted]
    assert {"forward-nan", "backward-nan", "forward-inf", "backward-inf", "forward-subnormal"} <= {r.name for r in alive}
    assert all(record.fault.endswith("no case of this run has touched that") and record.n_cases == 600 for record in alive)


def test_a_judge_that_convicts_everybody_convicts_nobody_of_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    real = judge.compare

    def severe(quantity: str, *args: Any, **named: Any) -> Any:
        return real(quantity, *args, **named)._replace(ok=False, reason="value")

    monkeypatch.setattr(judge, "_all_equal", lambda *_: False)
    monkeypatch.setattr(judge, "compare", severe)
    alive = survivors(list(planted_in(spec_named("Relu"), "Relu", SEED, ("float32",), 60)))
    assert {"negated", "constant", "doubled", "one-element-forward.out-float32"} <= alive


def test_what_is_not_claimed_is_not_planted() -> None:
    whole = {fault.name for fault in planted_faults(spec_named("Affine"), DTYPES)}
    spec = claimed(spec_named("Affine"), ["results.own-memory", "nan", "empty-batch", "dout", "dW", "errors"])
    left = planted_faults(spec, DTYPES)
    gone = whole - {fault.name for fault in left}
    assert gone == {
        "hands-back-input", "result-overwritten", "gradient-buffer", "forward-nan", "backward-nan", "empty-raises", "dout-ignored",
        "dout-averaged", "answers-bad-input", "answers-too-early", "spoiled-too-early", "one-element-backward.dW-float64",
        "one-element-backward.dW-float32",
    }  # fmt: skip
    assert all("backward.dW" not in fault.on for fault in left)
    assert not survivors(list(planted_in(spec, "mine", SEED, DTYPES, CASES)))


def test_a_subject_without_backward_has_no_faults_in_it() -> None:
    spec = claimed(spec_named("Affine"), (), forward_only=True)
    found = list(planted_in(spec, "mine", SEED, DTYPES, CASES))
    assert len(found) > 20 and not survivors(found)
    assert not any("backward" in row for record in found for row in record.rows)


@pytest.mark.parametrize(
    ("function", "inputs", "none"),
    [
        ("F.silu(x)", None, set()),
        # no result at all for an axis of size 0
        ("x.amax(-1)", "x: (N, D)", set()),
        ("torch.fft.fft(x).abs()", "x: (N, D)", set()),
        # a gradient of 0 has no sign, no factor and no rows
        ("torch.round(x)", None, {"descending", "doubled", "first-element", "first-row-only", "dout-ignored", "accumulated", "repeated"}),
        ("F.linear(x, W, b)", "x: (N, D) | W: (M, D), b: (M)", set()),
    ],
)
def test_a_torch_function_of_the_users_has_those_that_make_a_difference(function: str, inputs: str | None, none: set[str]) -> None:
    spec = spec_like(function, inputs)
    planted = {fault.name for fault in planted_faults(spec, DTYPES)}
    found = list(planted_in(spec, "mine", SEED, DTYPES, CASES))
    assert not survivors(found) and {record.name for record in found} == planted
    assert not planted & none and planted > {"negated", "last-element", "one-axis-more", "writes-input", "forward-large"}


def test_the_same_run_tells_the_same() -> None:
    spec = spec_named("softmax")
    first, second = (list(planted_in(spec, "s", 5, DTYPES, 300)) for _ in range(2))
    assert first == second
    assert first != list(planted_in(spec, "s", 6, DTYPES, 300))


def test_no_cases_no_convictions() -> None:
    found = list(planted_in(spec_named("Relu"), "Relu", SEED, DTYPES, 0))
    assert len(found) == n_planted(spec_named("Relu"), DTYPES)
    assert all(not record.convicted and record.n_cases == 0 for record in found)


def test_every_fault_waits_for_what_it_says() -> None:
    arrays = {
        "nan": [np.nan], "inf": [-np.inf], "zero": [0.0], "negative-zero": [-0.0], "ties": [2.0, 3.0, 2.0], "subnormal": [1e-310],
        "large": [-15.0], "size-1": [[1.0], [2.0]], "batch-1": [[1.0, 2.0]], "long": list(range(1, 66)),
    }  # fmt: skip
    known = {b.name: b for b in (*at_boundaries.BOUNDARIES, *at_boundaries.SPECIALS)}
    assert set(arrays) == set(known)
    for name, values in arrays.items():
        assert known[name].touched(np.array(values)), name
        assert not known[name].touched(np.array([[1.5, 2.5], [3.5, 4.5]])), name
        assert not at_boundaries.touches(known[name], {"t": np.zeros((1, 70), np.int64)}), name


def test_every_contract_that_is_declared_has_a_fault_to_show_it() -> None:
    """A contract without one could go blind unseen."""
    for name in NAMES:
        spec = spec_named(name)
        on = {row for fault in planted_faults(spec, DTYPES) for row in fault.on}
        wanted = {c for branch in spec.branches for c in contracts.declared(spec, branch)} | set(spec.quantities)
        assert wanted <= on, (name, wanted - on)
