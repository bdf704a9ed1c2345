"""What is drawn: valid cases in every way that is documented, about as often as documented."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from oracle.core import torch_side
from oracle.core.case import LAYOUTS, Case
from oracle.core.draw import SIZES
from oracle.core.profiles import ARRAY, COTANGENT
from oracle.core.spec import LayerSpec
from oracle.search.numbered import cases
from oracle.specs import all_specs, spec_named

DTYPES = ("float64", "float32", "float16")
SPECS = [pytest.param(spec, id=name) for name, spec in all_specs().items()]
N = 720


@cache
def drawn(name: str, n: int = N) -> list[Case]:
    return [case for _, case in cases(spec_named(name), 6, DTYPES, 0, n)]


@pytest.mark.parametrize("spec", SPECS)
def test_torch_answers_every_case_and_refuses_every_bad_one(spec: LayerSpec) -> None:
    for case in drawn(spec.name):
        error = torch_side.evaluate(spec, case).error
        assert (error is None) == (case.refusal is None), (case.branch, case.dtype, case.refusal, error)


@pytest.mark.parametrize("spec", SPECS)
def test_every_way_of_handing_over_occurs(spec: LayerSpec) -> None:
    for branch in spec.branches:
        mine = [case for case in drawn(spec.name) if case.branch == branch]
        assert {c.dtype for c in mine} == set(DTYPES)
        assert {c.protocol for c in mine} == {*spec.protocols_of(branch), "plain"}
        refusals = {r.id for r in spec.refusals if not r.branches or branch in r.branches}
        assert {c.refusal for c in mine} - {None} <= refusals and (not refusals or any(c.refusal for c in mine))
        for case in mine:
            assert (case.prior is not None) == (case.protocol in ("reused", "reshaped"))
    assert {c.layout for c in drawn(spec.name)} == set(spec.layouts)


@pytest.mark.parametrize("spec", SPECS)
def test_arrays_have_the_working_dtype_and_the_axes_named(spec: LayerSpec) -> None:
    for case in drawn(spec.name):
        assert case.layer == spec.name and tuple(case.params) == spec.params
        for name, a in case.arrays.items():
            assert name == "t" or a.dtype == case.dtype
            assert case.refusal or a.ndim == len(case.dims.get(name, a.shape))


@pytest.mark.parametrize("spec", SPECS)
def test_cutting_keeps_the_shapes_consistent(spec: LayerSpec) -> None:
    for case in drawn(spec.name)[:240]:
        if case.refusal is not None:
            continue
        for axis, size in case.sizes.items():
            if size < 2 or (axis == "C" and case.inputs.get("t", np.zeros(0)).dtype.kind in "iu"):
                continue  # a label may be beyond the classes that are left
            cut = case.cut(axis, [0])
            assert cut.sizes == {**case.sizes, axis: 1}
            assert torch_side.evaluate(spec, cut).error is None, (case.branch, axis)
            assert cut.cut(axis, [0]).digest() == cut.digest()


def test_sizes_are_as_frequent_as_documented() -> None:
    share = {size: count / len(SIZES) for size, count in Counter(SIZES).items()}
    assert len(SIZES) == 1000 and share[0] == pytest.approx(0.02) and 0.15 <= share[1] < 0.17
    assert sum(s for n, s in share.items() if 2 <= n <= 16) > 0.65 and max(SIZES) > 480
    met = Counter(n for case in drawn("Affine", 3000) for n in case.sizes.values())
    total = sum(met.values())
    assert 0.01 < met[0] / total < 0.03 and 0.12 < met[1] / total < 0.25 and max(met) > 256


def test_squares_occur_on_purpose() -> None:
    shapes = [c.params["W"].shape for c in drawn("Affine", 3000) if c.branch == "matrix"]
    assert sum(d == m > 4 for d, m in shapes) / len(shapes) > 0.025


def test_every_profile_occurs_and_cotangents_are_mostly_normal() -> None:
    met = Counter(name for spec in all_specs() for case in drawn(spec) for name in case.profiles)
    assert {p.name for p in (*ARRAY, *COTANGENT)} | {"special", "ignore-index", "dirichlet", "sparse", "unnormalised"} == set(met)
    assert sum(p.name == "normal" for p in COTANGENT) / len(COTANGENT) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("name", ["Affine", "Relu", "MulLayer"])
def test_cotangents_are_hardly_ever_all_ones(name: str) -> None:
    douts = [c.cotangents["out"] for c in drawn(name) if c.cotangents["out"].size > 2]
    assert sum(bool((d == 1).all()) for d in douts) / len(douts) < 0.01


def test_labels_are_classes_or_ignored() -> None:
    dtypes = set()
    for case in drawn("SoftmaxWithLoss"):
        t = case.inputs["t"]
        if case.refusal is None and case.branch in ("index", "unbatched-index"):
            dtypes.add(t.dtype.name)
            assert t.dtype.kind in "iu" and (((t >= 0) & (t < case.inputs["x"].shape[-1])) | (t.astype(np.int64) == -100)).all()
        elif case.refusal is None and case.branch == "one-hot":
            assert (t.astype(float).sum(axis=-1) == 1).all() and np.isin(t, (0, 1)).all()
    assert len(dtypes) == 8


@pytest.mark.parametrize("spec", SPECS)
def test_cases_differ(spec: LayerSpec) -> None:
    large = [case.digest() for case in drawn(spec.name) if sum(a.size for a in case.arrays.values()) > 12]
    assert len(set(large)) > 0.97 * len(large)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (4,), (3, 4), (2, 0, 3), (2, 3, 4)], ids=str)
def test_a_layout_gives_a_private_array_of_equal_values(layout: str, shape: tuple[int, ...]) -> None:
    a = np.random.default_rng(1).standard_normal(shape)
    if layout == "stride-0" and a.ndim and len(a):
        a = np.broadcast_to(a[:1], a.shape).copy()
    laid = LAYOUTS[layout](a)
    assert laid.shape == a.shape and laid.dtype == a.dtype and laid.tobytes() == a.tobytes() and not np.shares_memory(laid, a)
    if a.ndim < 1 or a.size < 2:
        return
    if layout == "C":
        assert laid.flags.c_contiguous
    elif layout == "fortran":
        assert laid.flags.f_contiguous
    elif layout == "strided":
        assert laid.strides[-1] == 2 * a.itemsize
    elif layout == "negative-stride":
        assert laid.strides[-1] == -a.itemsize
    elif layout == "stride-0":
        assert laid.strides[0] == 0
    assert laid.flags.writeable == (layout not in ("read-only", "stride-0"))


def test_a_case_of_stride_0_really_has_it() -> None:
    met = [c for c in drawn("Affine") if c.layout == "stride-0" and len(c.inputs["x"]) > 1 and c.inputs["x"].size]
    assert met and all(LAYOUTS["stride-0"](c.inputs["x"]).strides[0] == 0 for c in met)
