"""Every contract is put to the test by a layer that breaks it alone, and charged to where it lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from oracle.core.case import LAYOUTS, Case
from oracle.core.contracts import CONTRACTS
from oracle.core.judge import judge
from oracle.specs import spec_named
from oracle.subjects import subject_of
from reference import SoftmaxWithLoss
from tests.core import faulty
from tests.core.handing import AFFINE, affine_case, convicted, handings

# the contract, its breaker, and the handlings under which it shows (None: all that are not refused)
BREAKERS: dict[str, tuple[type, set[str] | None]] = {
    "call.answers": (faulty.Raises, None),
    "call.no-warnings": (faulty.Warns, None),
    "call.forward-first": (faulty.BackwardFirst, {"backward-first"}),
    "inputs.unchanged": (faulty.WritesX, None),
    "inputs.layout": (faulty.NeedsC, {"fortran", "strided", "negative-stride", "stride-0"}),
    "inputs.refused": (faulty.Answers, {"refused"}),
    "params.unchanged": (faulty.WritesW, None),
    "cotangent.honoured": (faulty.IgnoresDout, None),
    "cotangent.unchanged": (faulty.WritesDout, None),
    "results.shape": (faulty.WrongShape, None),
    "results.dtype": (faulty.WrongDtype, None),
    "results.own-memory": (faulty.SharedBuffer, None),
    "backward.repeatable": (faulty.SecondBackward, {"backward-twice"}),
    "state.fresh": (faulty.Stale, {"reused", "reshaped"}),
}
ELSEWHERE = {"labels.forms-agree": "test_label_forms_that_disagree_break_that_contract"}
# a quantity that cannot be compared fails along with its contract
ALONG = {
    "results.shape": {"forward.out"},
    # what is compared is the array as it is in the end
    "results.own-memory": {"forward.out"},
}


def _way(case: Case) -> str:
    return "refused" if case.refusal else case.layout if case.layout != "C" else case.protocol


def test_every_contract_has_a_breaker() -> None:
    assert {*BREAKERS, *ELSEWHERE} == set(CONTRACTS), "write a layer that breaks the new contract"
    assert all(name in globals() for name in ELSEWHERE.values())


@pytest.mark.parametrize("contract", BREAKERS)
def test_a_layer_that_breaks_one_contract_is_convicted_of_that_alone(contract: str) -> None:
    layer, ways = BREAKERS[contract]
    shown = set()
    for case in handings(affine_case()):
        names = set(convicted(layer, case))
        if names:
            shown.add(_way(case))
            assert contract in names or contract == "state.fresh", (_way(case), names)
            assert names <= {contract} | ALONG.get(contract, set()), _way(case)
    everything = {_way(case) for case in handings(affine_case())} - {"refused"}
    if contract in ("inputs.unchanged", "params.unchanged", "cotangent.unchanged"):
        everything -= {"read-only"}
    if contract == "state.fresh":
        assert shown == {"reused"}
    else:
        assert shown == (everything if ways is None else ways & shown) and shown


def test_a_right_layer_keeps_every_contract() -> None:
    for dtype in ("float64", "float32"):
        for case in handings(affine_case(dtype=dtype)):
            judgement = judge(AFFINE, subject_of(AFFINE, faulty.Right), case)
            assert not judgement.findings and judgement.discarded is None, _way(case)
            assert judgement.answered == (case.refusal is None)
            if case.refusal is None:
                assert {c.quantity for c in judgement.comparisons} == set(AFFINE.quantities)


def test_a_shape_of_an_earlier_use_is_charged_to_the_state() -> None:
    case = affine_case(protocol="reshaped", prior=affine_case(1, rows=5))
    assert set(convicted(faulty.StaleShape, case)) == {"state.fresh"}
    assert not convicted(faulty.StaleShape, affine_case(protocol="reused", prior=affine_case(1)))


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name not in ("C", "read-only", "stride-0")])
def test_a_fault_of_one_layout_is_charged_to_the_layout(layout: str) -> None:
    found = convicted(faulty.NeedsC, affine_case(layout=layout))
    assert set(found) == {"inputs.layout"}
    assert layout in found["inputs.layout"] and "forward.out" in found["inputs.layout"]


def test_a_wrong_value_is_charged_to_its_quantity_in_every_way() -> None:
    class Doubled(faulty.Right):
        def backward(self, dout: Any) -> Any:
            dx = super().backward(dout)
            self.dW = self.dW * 2
            return dx

    for case in handings(affine_case()):
        assert set(convicted(Doubled, case)) == (set() if case.refusal else {"backward.dW"}), _way(case)


def test_one_failure_does_not_hide_another() -> None:
    assert set(convicted(faulty.TwoFaults, affine_case())) == {"backward.dW", "cotangent.unchanged"}


def test_every_wrong_quantity_is_found_at_once() -> None:
    class AllWrong(faulty.Right):
        def forward(self, x: Any) -> Any:
            return super().forward(x) + 1

        def backward(self, dout: Any) -> Any:
            dx = super().backward(dout)
            self.dW, self.db = -self.dW, self.db + 3
            return 2 * dx

    assert set(convicted(AllWrong, affine_case())) == set(AFFINE.quantities)


def test_gradients_that_are_dout_itself_do_not_own_their_memory() -> None:
    spec = spec_named("AddLayer")
    a = {name: np.random.default_rng(i).standard_normal((2, 3)) for i, name in enumerate("xyd")}
    dims = dict.fromkeys(("x", "y", "dout"), ("A", "B"))
    case = Case("AddLayer", "same", "float64", {"x": a["x"], "y": a["y"]}, {}, {"out": a["d"]}, {}, dims)
    found = judge(spec, subject_of(spec, faulty.AliasOfDout), case).findings
    assert {f.name for f in found} == {"results.own-memory"}
    assert len(found) >= 1 and any("out" in f.message for f in found)


def _loss_case(**handling: Any) -> Case:
    rng = np.random.default_rng(5)
    arrays = {"x": rng.standard_normal((3, 4)), "t": np.array([0, 3, 1])}
    dims = {"x": ("N", "C"), "t": ("N",), "dloss": ()}
    case = Case("SoftmaxWithLoss", "index", "float64", arrays, {}, {"loss": np.array(1.5)}, {}, dims)
    return case._replace(**handling)


def test_label_forms_that_disagree_break_that_contract() -> None:
    spec = spec_named("SoftmaxWithLoss")
    wrong, right = faulty.loss_with_forms(SoftmaxWithLoss, 1.5), faulty.loss_with_forms(SoftmaxWithLoss, 1.0)
    assert set(convicted(wrong, _loss_case(protocol="other-form"), spec)) == {"labels.forms-agree"}
    assert not convicted(wrong, _loss_case(), spec), "a plain case does not ask"
    assert not convicted(right, _loss_case(protocol="other-form"), spec)


def test_an_ignored_label_has_no_other_form() -> None:
    spec = spec_named("SoftmaxWithLoss")
    case = _loss_case(protocol="other-form")
    ignored = case._replace(inputs={**case.inputs, "t": np.array([0, -100, 1])})
    assert not convicted(faulty.loss_with_forms(SoftmaxWithLoss, 1.5), ignored, spec)


def test_a_warning_where_torch_gives_nan_is_none_of_our_business() -> None:
    case = affine_case()
    case.inputs["x"][0, 0] = np.nan
    assert "call.no-warnings" not in convicted(faulty.Warns, case)


def test_a_bad_input_that_torch_answers_is_discarded() -> None:
    judgement = judge(AFFINE, subject_of(AFFINE, faulty.Right), affine_case(refusal="made-up"))
    assert judgement.discarded is not None and "made-up" in judgement.discarded and not judgement.findings
    bad = affine_case(cotangents={"out": np.zeros((3, 2, 1))})
    judgement = judge(AFFINE, subject_of(AFFINE, faulty.Right), bad)
    assert judgement.discarded is not None and judgement.discarded.startswith("torch raised") and not judgement.answered


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0], ids=str)
def test_a_wrong_special_value_is_convicted_for_its_own_reason(value: float) -> None:
    class Spoiled(faulty.Right):
        def forward(self, x: Any) -> Any:
            y = super().forward(x)
            y[0, 0] = value
            return y

    (finding,) = judge(AFFINE, subject_of(AFFINE, Spoiled), affine_case()).findings
    assert finding.key == ("forward.out", "value" if value == 0 else "nan")
    assert finding.comparison is not None and finding.comparison.worst_index == (0, 0) and finding.comparison.n_mismatched == 1


def test_the_judge_leaves_the_case_as_it_was() -> None:
    for layer in (faulty.WritesX, faulty.WritesW, faulty.WritesDout, faulty.TwoFaults):
        case, untouched = affine_case(), affine_case()
        convicted(layer, case)
        assert case.digest() == untouched.digest()
