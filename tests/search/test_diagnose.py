"""Every planted fault gets a cause that is true of it or none at all; right layers get none; the numeric pieces by themselves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from oracle.core.draw import calm_case
from oracle.core.judge import judge
from oracle.search.diagnose import FAMILIES, diagnose
from oracle.search.diagnose.condition import threshold
from oracle.search.diagnose.evidence import BUDGET, Bench, SpentError, agrees
from oracle.search.diagnose.later import round_number
from oracle.search.diagnose.ratio import ratio_of
from oracle.specs import spec_named
from oracle.subjects import subject_of
from reference import Affine, Relu, Sigmoid, SoftmaxWithLoss
from tests.mutants.causes import CAUSES
from tests.mutants.diagnosed import diagnosis_of, first_failure
from tests.mutants.registry import Planted, planted_faults, right_layers


@pytest.mark.parametrize("mutant", [pytest.param(m, id=m.name) for m in planted_faults()])
def test_a_planted_fault_gets_a_cause_that_is_true_of_it_or_none(mutant: Planted) -> None:
    found = diagnosis_of(mutant, first_failure(mutant))
    if found is None:
        assert mutant.name not in CAUSES, f"{mutant.fault}: was diagnosed as {CAUSES[mutant.name]}, and no longer is"
        return
    assert found.cause in CAUSES.get(mutant.name, frozenset()), f"{mutant.fault}: {found.sentence}"


def test_the_causes_name_planted_faults_only() -> None:
    assert set(CAUSES) <= {m.name for m in planted_faults()}


def test_causes_written_later_are_marked() -> None:
    assert {f.after for f in FAMILIES if f.find.__module__.endswith(".later")} == {True}
    assert not any(f.after for f in FAMILIES if not f.find.__module__.endswith(".later"))


@pytest.mark.parametrize("right", [pytest.param(r, id=r.name) for r in right_layers()])
def test_a_right_layer_gets_no_cause(right: Any) -> None:
    spec = spec_named(right.spec)
    subject = subject_of(spec, right.layer)
    branch = spec.branches[0]
    case = calm_case(spec, np.random.default_rng(3), branch)
    for row in [(name, "value") for name in spec.quantities] + [("inputs.unchanged", "contract"), ("results.own-memory", "contract")]:
        assert diagnose(spec, subject, row, branch, "float64", case) is None


class DbAveraged(Affine):
    def backward(self, dout: Any) -> Any:
        dx = super().backward(dout)
        self.db = self.db / len(dout)
        return dx


class SigmoidWithoutRest(Sigmoid):
    def forward(self, x: Any) -> Any:
        self.kept = super().forward(x)
        return self.kept.copy()

    def backward(self, dout: Any) -> Any:
        return dout * self.kept


class LossWithEpsilon(SoftmaxWithLoss):
    def forward(self, x: Any, t: Any) -> Any:
        loss = super().forward(x, t)
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        p = (e / e.sum(axis=-1, keepdims=True))[np.arange(len(x)), t]
        return loss.dtype.type(-np.log(p + loss.dtype.type(1e-4)).mean()) if x.size else loss


class ReluWritesDout(Relu):
    def forward(self, x: Any) -> Any:
        self.closed = np.asarray(x) <= 0
        return super().forward(x)

    def backward(self, dout: Any) -> Any:
        dout[self.closed] = 0
        return dout.copy()


@pytest.mark.parametrize(
    ("spec_name", "layer", "row", "branch", "sentence"),
    [
        (
            "Affine",
            DbAveraged,
            ("backward.db", "value"),
            "matrix",
            "backward.db is 1/N of torch's, with N the batch size: the mean over the batch is taken where the sum belongs.",
        ),
        ("Sigmoid", SigmoidWithoutRest, ("backward.dx", "value"), "matrix", "backward.dx is dout y: the factor 1 - y is missing."),
        (
            "SoftmaxWithLoss",
            LossWithEpsilon,
            ("forward.loss", "value"),
            "index",
            "forward.loss is -log(p + 0.0001) where -log p belongs: an epsilon of 0.0001 is added inside the logarithm.",
        ),
        (
            "Relu",
            ReluWritesDout,
            ("cotangent.unchanged", "contract"),
            "matrix",
            "backward writes into dout where x is not positive, the caller's own array: it has to work on a copy.",
        ),
    ],
)
def test_the_sentence_names_what_is_wrong(spec_name: str, layer: Any, row: tuple[str, str], branch: str, sentence: str) -> None:
    spec = spec_named(spec_name)
    subject = subject_of(spec, layer)
    case = calm_case(spec, np.random.default_rng(5), branch)
    assert row in {f.key for f in judge(spec, subject, case).findings}
    found = diagnose(spec, subject, row, branch, "float64", case)
    assert found is not None and found.sentence == sentence


def test_a_diagnosis_is_the_same_again() -> None:
    spec = spec_named("Affine")
    case = calm_case(spec, np.random.default_rng(5), "matrix")
    both = [diagnose(spec, subject_of(spec, DbAveraged), ("backward.db", "value"), "matrix", "float64", case, seed=7) for _ in range(2)]
    assert both[0] == both[1] is not None


def test_a_fault_that_matches_nothing_gets_no_sentence() -> None:
    class Odd(Relu):
        def forward(self, x: Any) -> Any:
            return super().forward(x) + 0.01 * np.sin(17 * np.asarray(x))

    spec = spec_named("Relu")
    case = calm_case(spec, np.random.default_rng(5), "matrix")
    assert diagnose(spec, subject_of(spec, Odd), ("forward.out", "value"), "matrix", "float64", case) is None


def test_the_budget_ends() -> None:
    spec = spec_named("Relu")
    bench = Bench(spec, subject_of(spec), ("forward.out", "value"), "matrix", "float64", 0)
    with np.errstate(all="ignore"):
        for _ in range(BUDGET):
            bench.tried(bench.calm())
        with pytest.raises(SpentError):
            bench.tried(bench.calm())


def test_a_ratio_is_read_where_the_error_matters_least() -> None:
    expected = np.array([1e-12, 2.0, 0.0, np.nan])
    actual = np.array([5e-12, 3.0, 1.0, 1.0])
    assert ratio_of(actual, expected, np.full(4, 1e-12)) == 1.5
    assert ratio_of(actual, np.zeros(4), np.full(4, 1e-12)) is None
    assert ratio_of(actual, expected[:2], np.full(2, 1e-12)) is None


@pytest.mark.parametrize("at", [2.5, 31.0, 88.7228, 709.7827, 5000.0])
def test_a_threshold_is_found_to_four_digits(at: float) -> None:
    found = threshold(lambda v: v >= at, 1.0, 2e4)
    assert found is not None and math.isclose(found, at, rel_tol=2e-4)


def test_there_is_no_threshold_where_all_or_nothing_fails() -> None:
    assert threshold(lambda v: True, 1.0, 2e4) is None
    assert threshold(lambda v: False, 1.0, 2e4) is None


@pytest.mark.parametrize(
    ("value", "expected"), [(1.0000001e-7, 1e-7), (0.0299999, 0.03), (-2e-4, -2e-4), (0.0123, None), (0.0, None), (np.nan, None)]
)
def test_a_solved_number_must_be_a_round_one(value: float, expected: float | None) -> None:
    assert round_number(value) == expected


def test_a_prediction_is_held_to_the_last_digits() -> None:
    p = np.array([1.0, np.nan, np.inf])
    none = np.zeros(3)
    assert agrees(p * (1 + 1e-14), p, none, "float64")
    assert not agrees(p * (1 + 1e-9), p, none, "float64")
    assert not agrees(np.array([1.0, 0.0, np.inf]), p, none, "float64")
    assert not agrees(np.array([1.0, np.nan, 5.0]), p, none, "float64")
    assert not agrees(p[:2], p, none, "float64")
