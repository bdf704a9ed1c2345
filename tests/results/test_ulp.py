"""Distances in representable numbers, counted without NumPy, held against NumPy's own idea of them."""

from __future__ import annotations

import base64
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.core.compare import ulp_counts
from oracle.core.stored import stored_array
from oracle.results import ArrayData
from oracle.results.buckets import bucket_top
from oracle.results.ulp import ulp_distances

FLOATS = {"float16": np.uint16, "float32": np.uint32, "float64": np.uint64}


def of_bits(bits: list[int], dtype: str) -> np.ndarray:
    return np.array(bits, FLOATS[dtype]).view(dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("start", ["0", "-0", "1", "-1", "2", "smallest_subnormal", "smallest_normal", "max"])
def test_steps_to_the_next_number_are_counted(dtype: str, start: str) -> None:
    value = getattr(np.finfo(dtype), start) if start[0] in "sm" else float(start)
    for here in (np.array([value], dtype), np.array([-value], dtype)):
        there = here
        for n in range(1, 20):
            there = np.nextafter(there, np.array([0 if value > 1e3 else -np.inf], dtype), dtype=dtype)
            if np.isinf(there[0]):
                break
            assert ulp_distances(stored_array(here), stored_array(there)) == [n]
            assert ulp_distances(stored_array(there), stored_array(here)) == [n]


@pytest.mark.parametrize("dtype", FLOATS)
def test_zeros_nans_and_infinities(dtype: str) -> None:
    info = np.finfo(dtype)
    payload = of_bits([int(of_bits_of(np.nan, dtype)) | 1 << (info.bits - 1) | 1], dtype)
    left = np.array([0.0, np.nan, payload[0], np.inf, -np.inf, np.inf, np.nan, np.inf, 1.0, info.max], dtype)
    right = np.array([-0.0, payload[0], np.nan, np.inf, -np.inf, -np.inf, 1.0, np.nan, -np.inf, np.inf], dtype)
    for pair in ((left, right), (right, left)):
        assert ulp_distances(*map(stored_array, pair)) == [0, 0, 0, 0, 0, None, None, None, None, None]


def of_bits_of(value: float, dtype: str) -> int:
    return int(np.array(value, dtype).view(FLOATS[dtype]))


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_any_two_arrays_of_bits_as_the_judge_counts_them(dtype: str, data: st.DataObject) -> None:
    top = np.iinfo(FLOATS[dtype]).max
    pairs = data.draw(st.lists(st.tuples(st.integers(0, top), st.integers(0, top)), min_size=1, max_size=8))
    near = data.draw(st.lists(st.tuples(st.integers(0, top - 40), st.integers(0, 40)), max_size=8))
    pairs += [(bits, bits + step) for bits, step in near]
    a, b = of_bits([x for x, _ in pairs], dtype), of_bits([y for _, y in pairs], dtype)
    found = ulp_distances(stored_array(a), stored_array(b))
    assert found == ulp_distances(stored_array(b), stored_array(a))
    for x, y, n in zip(a, b, found, strict=True):
        assert n == exactly(x, y)
    counted = [0] * 67
    for n in found:
        counted[66 if n is None else 0 if n == 0 else next(k for k in range(65) if n <= bucket_top(f"2^{k}")) + 1] += 1
    told = list(ulp_counts(a, b))
    # the judge puts distances above 2^53 into buckets by their rounded value
    assert told == counted or max(n or 0 for n in found) > 2**53


def exactly(x: np.floating, y: np.floating) -> int | None:
    """The distance of two finite numbers through whole multiples of the smallest subnormal: another way than by bits."""
    if np.isnan(x) and np.isnan(y):
        return 0
    if np.isinf(x) and x == y:
        return 0
    if not (np.isfinite(x) and np.isfinite(y)):
        return None
    return abs(place(x) - place(y))


def place(x: np.floating) -> int:
    """How many representable numbers lie between 0 and `x`, from its binary exponent and its significand."""
    info = np.finfo(x.dtype)
    value = abs(float(x))
    if value == 0:
        return 0
    mantissa, exponent = math.frexp(value)
    least = info.minexp + 1  # frexp's exponent of the smallest normal number
    if exponent < least:
        n = int(math.ldexp(mantissa, exponent - (info.minexp - info.nmant)))
    else:
        n = (exponent - least + 1) * 2**info.nmant + int((mantissa * 2 - 1) * 2**info.nmant)
    return n if x > 0 else -n


def test_integers_and_bools_differ_by_their_difference() -> None:
    assert ulp_distances(*(stored_array(np.array(v, np.int64)) for v in ([-(2**63), 5, 7], [2**63 - 1, 5, 4]))) == [2**64 - 1, 0, 3]
    assert ulp_distances(*(stored_array(np.array(v, np.bool_)) for v in ([True, False], [False, False]))) == [1, 0]
    assert ulp_distances(*(stored_array(np.array(v, np.uint8)) for v in ([255], [0]))) == [255]


def test_empty_arrays_have_no_distances() -> None:
    empty = stored_array(np.zeros((0, 3)))
    assert ulp_distances(empty, empty) == []


@pytest.mark.parametrize("other", [np.zeros(2, np.float32), np.zeros((2, 1)), np.zeros(3)], ids=lambda a: f"{a.dtype}{a.shape}")
def test_arrays_of_different_kinds_are_refused(other: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        ulp_distances(stored_array(np.zeros(2)), stored_array(other))


def test_the_bytes_are_little_endian_on_every_machine() -> None:
    one = struct.pack("<d", 1.0)
    assert stored_array(np.array([1.0])).raw() == one
    other = ArrayData(dtype="float64", shape=(1,), data=base64.b64encode(struct.pack("<Q", struct.unpack("<Q", one)[0] + 3)).decode())
    assert ulp_distances(stored_array(np.array([1.0])), other) == [3]
