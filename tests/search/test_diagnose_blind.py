"""The blind set keeps its right sentences: each layer gets the cause that was held against its code by hand, or none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from oracle.core.draw import calm_case
from oracle.search.diagnose import diagnose
from oracle.specs import spec_named
from oracle.subjects import subject_of
from reference import Sigmoid
from tests.mutants.blind.record import Blind, blind_faults
from tests.mutants.blindly import told

CAUSES: dict[str, str | None] = {
    "relu_from_zero_forward": "mask-from-0",
    "ReluGatesDout": "mask-of-dout",
    "ReluLeaks": "leaky-0.01",
    "ReluInPlace": "writes-x",
    "ActivationReLU": "writes-dout",
    "relu6_forward": "relu6",
    "ReluIsAbs": "x-absolute",
    "ReluForgetsDout": "dout-missing",
    "ReluKeepsFirstMask": "stale-x",
    "ReluSmoothGate": "softplus",
    "relu_half": None,
    "sigmoid_short": "factor-1-y-missing",
    "SigmoidOfInput": "x-for-y",
    "HardSigmoid": "hard-sigmoid-0.2",
    "SigmoidClips": "x-clipped 20",
    "SigmoidByTanh": "x-doubled",
    "SigmoidUsesUp": "second-from-slope",
    "SigmoidFlipped": "x-negated",
    "SigmoidSlip": "sign-of-1-y",
    "SigmoidSingle": "computed-in-float32",
    "SigmoidWithTanhSlope": "slope-of-tanh",
    "FastSigmoid": "softsign",
    "SigmoidRounded": None,
    "AddNeverSums": "not-summed-back",
    "AddHandsBack": "view-of-dout",
    "add_forward": "sign",
    "AddShares": "ratio 1/2",
    "MulUncrossed": "operands-exchanged",
    "MulAverages": "broadcast-averaged",
    "mul_forward": "dout-ignored",
    "MulTwice": "output-for-operand",
    "AffineMeanBias": "ratio 1/N",
    "affine_averaged_forward": "ratio 1/N",
    "affine_unsummed_forward": "not-summed-back",
    "AffineTransposedGrad": "transposed",
    "DenseNoBias": "b-ignored",
    "LinearAccumulates": "accumulates",
    "AffineDecays": "decay 0.01",
    "AffineStaysFlat": "flattened-rows",
    "AffineLearns": "writes-W",
    "AffineClipsGrad": "clipped-1",
    "AffineScaled": "product-scaled",
    "affine_reordered_forward": "fortran-order",
    "AffineDropsLast": "only-all-but-the-last-of-N",
    "AffineFirstRow": "only-first-of-N",
    "HalfLinear": "computed-in-float16",
    "TextbookLoss": "dout-ignored",
    "softmax_sum_grad_forward": "ratio N",
    "LossWithDelta": "epsilon 1e-07",
    "LossSummed": "ratio N",
    "LossAlongBatch": "loss-softmax-axis-0",
    "LossMeanOfAll": "ratio 1/C",
    "ActivationSoftmaxLossCategoricalCrossentropy": "probability-clipped-both 1e-07",
    "LossOfWinners": "argmax-of-labels",
    "LossInBits": "ratio 1/ln 2",
    "softmax_uphill_forward": "sign",
    "LossSmooths": None,
    "LossSpoilsItsOutput": "second-labels-twice",
    "LossNaive": "naive-softmax",
    "softmax_down": "softmax-axis-0",
    "softmax_padded": "epsilon-below-raw 1e-08",
    "softmax_binary": "base-2",
    "softmax_of_squares": "squares",
    "cross_entropy_decimal": "ratio 1/ln 10",
    "cross_entropy_binary": "binary-terms",
    "NetWithoutGate": "relu-not-gone-back",
    "NetWithSigmoid": "net-hidden-sigmoid",
    "NetRegularised": None,
    "NetCountsHits": "ratio N",
}
"""The cause of each layer; None where nothing must be said, because nothing in the catalogue is true of it."""

LEFT_BEHIND = ("is a softsign,", "A used layer raises ValueError")
"""How sentences began that were misleading of a layer of the set, or said less than could be known."""


@pytest.mark.parametrize("fault", [pytest.param(f, id=f.name) for f in blind_faults()])
def test_a_blind_fault_keeps_its_cause(fault: Blind) -> None:
    found = told(fault)
    assert found.found, f"{fault.row} is not convicted: {fault.fault}"
    assert (found.cause and found.cause.cause) == CAUSES[fault.name], f"{fault.fault}: {found.sentence}"
    assert not any(text in found.sentence for text in LEFT_BEHIND)


def test_every_blind_fault_has_been_judged() -> None:
    assert [f.name for f in blind_faults()] == list(CAUSES)


def test_what_no_catalogue_has_may_stay_silent_and_nothing_else() -> None:
    silent = {name for name, cause in CAUSES.items() if cause is None}
    assert silent <= {f.name for f in blind_faults() if f.rare}


class SigmoidByFraction(Sigmoid):
    """tanh(x / 2) by a fraction of two polynomials, cut where it leaves -1 ... 1."""

    def forward(self, x: Any) -> Any:
        super().forward(x)
        h = np.clip(np.asarray(x) / 2, -3, 3)
        return (0.5 + 0.5 * h * (27 + h * h) / (27 + 9 * h * h)).astype(np.asarray(x).dtype)


class SigmoidWithRipple(Sigmoid):
    """Off by a wave that is as small as an approximation's error, but far from smooth."""

    def forward(self, x: Any) -> Any:
        return super().forward(x) + 1e-3 * np.sin(40 * np.asarray(x))


def _cause(layer: type[Sigmoid]) -> str | None:
    spec = spec_named("Sigmoid")
    case = calm_case(spec, np.random.default_rng(5), "matrix")
    found = diagnose(spec, subject_of(spec, layer), ("forward.out", "value"), "matrix", "float64", case)
    return None if found is None else found.sentence


def test_a_smooth_error_over_a_range_looks_like_an_approximation() -> None:
    sentence = _cause(SigmoidByFraction)
    assert sentence is not None and sentence.startswith("forward.out looks like an approximation of what torch gives: between x = -4 and 4")


def test_a_ragged_error_of_that_size_does_not() -> None:
    assert _cause(SigmoidWithRipple) is None
