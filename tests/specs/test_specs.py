"""The bindings: every public layer has one, its cases are answered by torch, and its bounds are neither too narrow nor too wide."""

from __future__ import annotations

import inspect
import zlib
from typing import Any

import numpy as np
import pytest

import reference
from oracle.core import torch_side
from oracle.core.ball import PRECISIONS
from oracle.core.case import Case
from oracle.core.judge import judge
from oracle.core.spec import LayerSpec
from oracle.search.numbered import cases
from oracle.specs import UnknownLayerError, all_specs, spec_named
from oracle.subjects import subject_of

DTYPES = ("float64", "float32")
SPECS = [pytest.param(spec, id=name) for name, spec in all_specs().items()]
MOST = 2**10
"""The largest relative error, in units of u, that a bound may overlook."""
TRIED = 100
# a central difference has its truncation error, far above u; a share of rows is a fraction, not a rounded number
EXEMPT = {("numerical_gradient", "forward.grad"), ("TwoLayerNet", "forward.accuracy")}
BRANCHES = [
    pytest.param(spec, branch, dtype, id=f"{name}-{branch}-{dtype}")
    for name, spec in all_specs().items()
    for branch in spec.branches
    for dtype in DTYPES
]


class Nudged:
    """The real layer with one random element of one quantity multiplied by 1 + d."""

    def __init__(self, spec: LayerSpec, at: int, factor: float, rng: np.random.Generator) -> None:
        self._inner, self._at, self._factor, self._rng = subject_of(spec), at, factor, rng
        self._n_outputs = len(spec.outputs)
        self.touched = False

    def start(self, params: Any, config: Any) -> Any:
        return self._inner.start(params, config)

    def forward(self, state: Any, inputs: Any) -> tuple[Any, ...]:
        return self._nudged(self._inner.forward(state, inputs), self._at)

    def backward(self, state: Any, cotangents: Any) -> tuple[Any, ...]:
        return self._nudged(self._inner.backward(state, cotangents), self._at - self._n_outputs)

    def _nudged(self, results: tuple[Any, ...], at: int) -> tuple[Any, ...]:
        if not 0 <= at < len(results):
            return results
        a = np.array(results[at])
        if a.size:
            flat = a.reshape(-1)
            i = int(self._rng.integers(a.size))
            self.touched = bool(np.isfinite(flat[i]) and flat[i] != 0)
            flat[i] = flat[i] * a.dtype.type(self._factor)
        return (*results[:at], a, *results[at + 1 :])


def benign(spec: LayerSpec, branch: str, dtype: str, n: int) -> list[Case]:
    """Cases of the sweep in plain handling, with standard normals in place of every float but probabilities and labels."""
    rng = np.random.default_rng(zlib.crc32(f"{spec.name}{branch}{dtype}".encode()))
    found: list[Case] = []
    for _, case in cases(spec, 77, (dtype,), 0, 12 * n * len(spec.branches)):
        small = all(0 < s <= 16 for s in case.sizes.values()) and all(a.size for a in case.arrays.values())
        if case.branch != branch or case.refusal or not small:
            continue
        kept = {"t", "y"} if spec.name in ("SoftmaxWithLoss", "cross_entropy_error", "TwoLayerNet") else set()

        def normal(arrays: Any, keep: set[str] = kept) -> Any:
            return {n: a if n in keep else rng.standard_normal(a.shape).astype(dtype) for n, a in arrays.items()}

        cotangents = case.cotangents if spec.name == "TwoLayerNet" else normal(case.cotangents, set())
        case = case._replace(inputs=normal(case.inputs), params=normal(case.params), cotangents=cotangents)
        found.append(case._replace(protocol="plain", layout="C", prior=None))
        if len(found) == n:
            break
    return found


def convicts(spec: LayerSpec, drawn: list[Case], quantity: str, d: float) -> bool:
    at = spec.quantities.index(quantity)
    rng = np.random.default_rng(3)
    for case in drawn:
        subject = Nudged(spec, at, 1 + d * PRECISIONS[case.dtype].u, rng)
        if any(f.name == quantity for f in judge(spec, subject, case).findings):
            return True
    return False


@pytest.mark.parametrize(("spec", "branch", "dtype"), BRANCHES)
def test_a_small_error_in_one_element_is_convicted(spec: LayerSpec, branch: str, dtype: str) -> None:
    drawn = benign(spec, branch, dtype, TRIED)
    assert len(drawn) > TRIED // 3
    for quantity in spec.quantities:
        if (spec.name, quantity) in EXEMPT:
            continue
        seen = [d for d in (4, 8, 16, 32, 64, 128, 256, 512, MOST) if convicts(spec, drawn, quantity, d)]
        print(f"{spec.name:22} {branch:24} {dtype:8} {quantity:18} smallest d = {min(seen, default=np.inf):>5} u")
        assert seen and seen[-1] == MOST, f"{quantity}: an error of {MOST} u is overlooked"


def test_a_wrong_accuracy_is_convicted_all_the_same() -> None:
    spec = spec_named("TwoLayerNet")
    for branch in spec.branches:
        drawn = benign(spec, branch, "float64", TRIED)
        assert convicts(spec, drawn, "forward.accuracy", 0.5 / PRECISIONS["float64"].u)


def test_a_wrong_numerical_gradient_is_convicted_all_the_same() -> None:
    spec = spec_named("numerical_gradient")
    for branch in spec.branches:
        assert convicts(spec, benign(spec, branch, "float64", TRIED), "forward.grad", 1e-2 / PRECISIONS["float64"].u)


@pytest.mark.parametrize("seed", [1, 20_011])
@pytest.mark.parametrize("spec", SPECS)
def test_torch_stays_within_its_own_bound_and_so_do_we(spec: LayerSpec, seed: int) -> None:
    n_inconclusive = 0
    for index, case in cases(spec, seed, (*DTYPES, "float16"), 0, 300):
        judgement = judge(spec, subject_of(spec), case)
        assert judgement.discarded is None, (index, judgement.discarded)
        assert not judgement.findings, (index, judgement.findings)
        n_inconclusive += sum(c.inconclusive for c in judgement.comparisons)
    assert n_inconclusive == 0


@pytest.mark.parametrize("spec", SPECS)
def test_every_quantity_has_a_ball_of_the_shape_that_torch_gives_it(spec: LayerSpec) -> None:
    met = set()
    for _, case in cases(spec, 5, (*DTYPES, "float16"), 0, 40 * len(spec.branches)):
        if case.refusal:
            continue
        expected = torch_side.evaluate(spec, case)
        with np.errstate(all="ignore"):
            balls = spec.bounds(PRECISIONS[case.dtype], case)
        assert set(balls) == set(spec.quantities)
        for quantity, answer in zip(spec.quantities, expected.outputs + expected.grads, strict=True):
            assert balls[quantity].shape == balls[quantity].radius.shape == answer.shape, quantity
            assert not (balls[quantity].radius < 0).any()
        met.add((case.branch, case.dtype))
    assert met == {(b, d) for b in spec.branches for d in (*DTYPES, "float16")}


def test_every_public_layer_has_a_spec() -> None:
    public = {name: getattr(reference, name) for name in reference.__all__}
    bound = {spec.layer for spec in all_specs().values()}
    missing = [name for name, value in public.items() if not _is_helper(value) and value not in bound]
    assert not missing, f"no spec in oracle/specs for {missing}"
    assert all(spec.layer is public.get(name) for name, spec in all_specs().items())


def _is_helper(value: Any) -> bool:
    """What no torch expression stands against: reading data sets, and exceptions."""
    module = inspect.getmodule(value)
    return (module is not None and module.__name__.endswith("datasets")) or (inspect.isclass(value) and issubclass(value, BaseException))


def test_names_are_unique_however_they_are_written() -> None:
    names = [name.replace("_", "").lower() for name in all_specs()]
    assert len(names) == len(set(names)) >= 10
    assert spec_named("two_layer_net") is spec_named("TWOLAYERNET") is all_specs()["TwoLayerNet"]
    with pytest.raises(UnknownLayerError, match="Affine"):
        spec_named("no such layer")


@pytest.mark.parametrize("spec", SPECS)
def test_a_spec_is_complete(spec: LayerSpec) -> None:
    assert spec.summary.endswith(".") and spec.check_version >= 1 and spec.branches
    assert len(set(spec.quantities)) == len(spec.quantities) == len(spec.outputs) + len(spec.wrt)
    assert all(spec.expression(branch) for branch in spec.branches)
    assert set(spec.other_form) <= set(spec.branches)
    for refusal in spec.refusals:
        assert set(refusal.branches) <= set(spec.branches)
