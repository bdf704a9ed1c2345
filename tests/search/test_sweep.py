"""The sweep: the same cases and the same counts, whoever judges which part of them."""

from __future__ import annotations

import copy
import functools
import itertools
from typing import Any

import numpy as np
import pytest

from oracle.core.case import Case
from oracle.core.spec import LayerSpec
from oracle.results.codec import add_results
from oracle.search.numbered import BLOCK, case_at, cases, place
from oracle.search.sweep import sweep
from oracle.search.tally import Tally, depths, results
from oracle.specs import all_specs, spec_named
from oracle.subjects import subject_of
from reference import Affine, numerical_gradient

DTYPES = ("float64", "float32")
SPECS = [pytest.param(spec, id=name) for name, spec in all_specs().items()]
N = 200


class HalfOfDb(Affine):
    """db is halved where the batch has more than two rows."""

    def backward(self, dout: Any) -> Any:
        dx = super().backward(dout)
        if len(dout) > 2:
            self.db = self.db * self.db.dtype.type(0.5)
        return dx


def everything(tally: Tally, spec: LayerSpec) -> tuple[Any, ...]:
    return results(tally, spec), depths(tally, {}), tally.samples, tally.failures, tally.discards, tally.handled


def swept(spec: LayerSpec, layer: Any, *bounds: int) -> Tally:
    tally = Tally(spec)
    for start, stop in itertools.pairwise(bounds):
        tally.merge(sweep(spec, subject_of(spec, layer), 3, DTYPES, start, stop))
    return tally


def same_case(a: Case, b: Case) -> bool:
    same = a._replace(inputs={}, params={}, cotangents={}, prior=None) == b._replace(inputs={}, params={}, cotangents={}, prior=None)
    for name, array in a.arrays.items():
        other = b.arrays[name]
        same &= array.dtype == other.dtype and array.shape == other.shape and array.tobytes() == other.tobytes()
    if a.prior is None or b.prior is None:
        return same and a.prior is b.prior
    return same and list(a.arrays) == list(b.arrays) and same_case(a.prior, b.prior)


@pytest.mark.parametrize("spec", SPECS)
def test_a_case_is_a_function_of_its_number(spec: LayerSpec) -> None:
    whole = dict(cases(spec, 11, DTYPES, 0, 2 * BLOCK + 5))
    assert list(whole) == list(range(2 * BLOCK + 5))
    for start in (0, 1, BLOCK - 1, BLOCK, BLOCK + 7, 2 * BLOCK):
        for index, case in cases(spec, 11, DTYPES, start, 2 * BLOCK + 3):
            assert same_case(case, whole[index]), (start, index)
    for index in (0, BLOCK - 1, BLOCK, 2 * BLOCK + 4):
        assert same_case(case_at(spec, 11, DTYPES, index), whole[index])


def test_seeds_and_layers_have_cases_of_their_own() -> None:
    relu, sigmoid = spec_named("Relu"), spec_named("Sigmoid")
    drawn = [[case.digest() for _, case in cases(spec, seed, DTYPES, 0, 64)] for spec, seed in ((relu, 1), (relu, 2), (sigmoid, 1))]
    assert len({*drawn[0]} & {*drawn[1]}) < 8 and len({*drawn[0]} & {*drawn[2]}) < 8


@pytest.mark.parametrize("spec", SPECS)
def test_branches_and_dtypes_take_turns(spec: LayerSpec) -> None:
    period = len(spec.branches) * len(DTYPES)
    assert {place(spec, DTYPES, i)[:2] for i in range(period)} == {(b, d) for b in spec.branches for d in DTYPES}
    assert {place(spec, DTYPES, i)[2] for i in range(0, 12 * period, period)} == set(range(12))
    for index, case in cases(spec, 1, DTYPES, 0, 40):
        assert (case.branch, case.dtype) == place(spec, DTYPES, index)[:2]


@pytest.mark.parametrize("bounds", [(0, 1, N), (0, 64, 128, N), (0, 100, 101, 150, N)], ids=str)
def test_the_parts_add_up_to_the_whole(bounds: tuple[int, ...]) -> None:
    spec = spec_named("Affine")
    for layer in (Affine, HalfOfDb):
        assert everything(swept(spec, layer, *bounds), spec) == everything(swept(spec, layer, 0, N), spec)


@pytest.mark.parametrize("spec", SPECS)
def test_a_sweep_done_again_says_the_same(spec: LayerSpec) -> None:
    first, second = (everything(sweep(spec, subject_of(spec), 4, DTYPES, 0, 96), spec) for _ in range(2))
    assert first == second
    other = everything(sweep(spec, subject_of(spec), 5, DTYPES, 0, 96), spec)
    assert first != other


def test_merging_is_commutative_and_associative() -> None:
    spec = spec_named("Affine")
    parts = [sweep(spec, subject_of(spec, HalfOfDb), 3, DTYPES, start, start + 60) for start in (0, 60, 120)]
    found = []
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)):
        total = Tally(spec)
        for i in order:
            total.merge(copy.deepcopy(parts[i]))
        found.append(everything(total, spec))
    nested = copy.deepcopy(parts[1])
    nested.merge(copy.deepcopy(parts[2]))
    total = copy.deepcopy(parts[0])
    total.merge(nested)
    assert all(other == found[0] for other in (*found, everything(total, spec)))


class Faulty(Affine):
    """backward.dx is a little off; of three rows it is doubled, and of seven it is NaN."""

    def backward(self, dout: Any) -> Any:
        dx = super().backward(dout)
        wrong = {3: 2.0, 7: np.nan}.get(len(dout), 1 + 64 * np.finfo(dx.dtype).eps)
        return dx * dx.dtype.type(wrong)


def test_what_is_written_in_parts_is_read_as_the_whole() -> None:
    spec = spec_named("Affine")
    whole = {row.key: row for row in results(swept(spec, Faulty, 0, N), spec)}
    found = set()
    for n in (1, 7, 50):
        parts = [row for at in range(0, N, n) for row in results(swept(spec, Faulty, at, min(at + n, N)), spec)]
        for rows in (parts, parts[::-1]):
            assert {key: functools.reduce(add_results, [r for r in rows if r.key == key]) for key in whole} == whole
        found |= {(r.status, r.worst_outcome, r.first_failed is None) for r in parts if r.role == "quantity"}
    assert found == {("failed", "imprecise", False), ("failed", "differs", False), ("passed", None, True), ("not-run", None, True)}


def test_what_a_difference_cannot_tell_in_float16_is_said() -> None:
    spec = spec_named("numerical_gradient")
    zeros = subject_of(spec, lambda f, x: numerical_gradient(f, x) * x.dtype.type(0))
    tally = sweep(spec, zeros, 3, ("float32", "float16"), 0, N)
    failed = {dtype for _, dtype, name in tally.failures if name == "forward.grad"}
    assert failed == {"float32"} and "In float16" in spec.summary and "zeros" in spec.summary


def test_the_first_failing_case_is_kept() -> None:
    spec = spec_named("Affine")
    tally = swept(spec, HalfOfDb, 0, N)
    failed = {key: failure.case for key, failure in tally.failures.items()}
    assert {name for _, _, name in failed} == {"backward.db"} and len(failed) == 4
    for (branch, dtype, _), index in failed.items():
        case = case_at(spec, 3, DTYPES, index)
        assert (case.branch, case.dtype) == (branch, dtype)
        assert case.cotangents["out"].shape[0] > 2
    rows = {(r.branch, r.dtype, r.quantity): r for r in results(tally, spec)}
    for key in failed:
        row = rows[key]
        assert row.status == "failed" and 0 < row.n_failed <= row.n_judged and row.margin is not None and row.margin > 16
        assert row.worst_outcome == "differs" and row.worst_case is not None
    assert {r.status for key, r in rows.items() if key not in failed} == {"passed"}


def test_depth_counts_what_was_tried() -> None:
    spec = spec_named("Affine")
    found = depths(swept(spec, Affine, 0, N), {})
    assert {(d.branch, d.dtype) for d in found} == {(b, d) for b in spec.branches for d in DTYPES}
    for depth in found:
        assert depth.n_cases == N // 4 == sum(depth.protocols.values()) == sum(depth.layouts.values()) == depth.n_examined
        assert depth.n_cases * 0.7 < depth.n_distinct <= depth.n_cases and depth.n_discarded == 0
        assert depth.n_shapes > 10 and sum(depth.extents.values()) == depth.n_examined and len(depth.extents) > 10
        assert depth.boundaries["size-1"] > 0 and depth.profiles["normal"] > 0


def test_what_an_earlier_part_has_seen_is_not_distinct_again() -> None:
    spec, known = spec_named("Relu"), {}
    first = depths(sweep(spec, subject_of(spec), 3, DTYPES, 0, 60), known)
    again = depths(sweep(spec, subject_of(spec), 3, DTYPES, 0, 60), known)
    assert sum(d.n_distinct for d in first) > 30 and sum(d.n_distinct for d in again) == 0 == sum(d.n_shapes for d in again)


def test_no_global_generator_is_drawn_from() -> None:
    spec = spec_named("softmax")
    np.random.seed(5)
    before = np.random.get_state()[1].tolist()
    sweep(spec, subject_of(spec), 1, DTYPES, 0, 64)
    assert np.random.get_state()[1].tolist() == before
