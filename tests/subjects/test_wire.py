"""The wire: what goes in comes out, and arbitrary bytes raise WireError and nothing else."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from oracle.core.evaluation import Breach, Evaluation
from oracle.core.observe import Observation
from oracle.subjects import wire

DTYPES = st.one_of(
    hnp.boolean_dtypes(), hnp.integer_dtypes(endianness="="), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(endianness=">")
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
NAMES = st.sampled_from(["<f8", "|b1", ">f4", "<f3", "|O", "<U4", "<c16", "=u8", "b1", "<f16"])
SHAPES = st.lists(st.integers(-1, 5) | st.sampled_from([2**61, 2**62, 2**70]) | st.just(True), max_size=66)


def frame(head: Any, body: bytes = b"") -> bytearray:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return bytearray(wire.SIZES.pack(len(text), len(body)) + text + body)


def answer(**changed: Any) -> dict[str, Any]:
    return {"error": None, "breaches": [], "warned": [], "arrays": [["<f8", [2]]], "counts": [1, 0, -1]} | changed


def observed(data: bytearray) -> Observation:
    found = wire.decode(data)
    assert found is not None
    return wire.observation_of(found)


@given(st.lists(ARRAYS, max_size=4), st.lists(ARRAYS, max_size=3), st.none() | st.lists(ARRAYS, max_size=3))
def test_what_goes_in_comes_out(outputs: list[Any], grads: list[Any], again: list[Any] | None) -> None:
    breaches = (Breach("inputs.unchanged", "forward wrote into x"),)
    seen = Observation(
        Evaluation(tuple(outputs), tuple(grads), "ValueError: no"), breaches, None if again is None else tuple(again), ("a", "b")
    )
    data = bytearray(wire.observation_frame(seen) + b"rest")
    back = observed(data)
    assert data == b"rest"
    assert (back.evaluation.error, back.breaches, back.warned, back.died) == ("ValueError: no", breaches, ("a", "b"), False)
    assert (back.again is None) == (again is None)
    pairs = zip([*outputs, *grads, *(again or [])], [*back.evaluation.outputs, *back.evaluation.grads, *(back.again or [])], strict=True)
    for sent, got in pairs:
        assert (got.dtype, got.shape, got.tobytes()) == (sent.dtype, sent.shape, sent.tobytes())
        assert got.flags.aligned and got.flags.writeable


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    buffer = bytearray(data)
    try:
        while (found := wire.decode(buffer)) is not None:
            assert isinstance(wire.observation_of(found), Observation)
    except wire.WireError as error:
        assert str(error)


@given(st.binary(max_size=60) | JSON, st.binary(max_size=40))
def test_an_arbitrary_head_raises_nothing_else(head: Any, body: bytes) -> None:
    with pytest.raises(wire.WireError):
        observed(frame(head, body))


@given(st.lists(st.tuples(NAMES, SHAPES), max_size=3), st.binary(max_size=40), st.lists(JSON | st.integers(-1, 3), max_size=4), JSON)
def test_arbitrary_arrays_raise_nothing_else(arrays: list[Any], body: bytes, counts: list[Any], other: Any) -> None:
    for change in ({"arrays": arrays, "counts": counts}, {"arrays": arrays, "counts": [len(arrays), 0, -1]}, {"breaches": other}):
        try:
            seen = observed(frame(answer(**change), body))
        except wire.WireError as error:
            assert str(error)
        else:
            assert sum(a.nbytes for a in seen.evaluation.outputs + seen.evaluation.grads) == len(body)


def test_a_frame_comes_in_pieces() -> None:
    data = frame(answer(), bytes(16))
    buffer = bytearray()
    for i in range(len(data)):
        assert wire.decode(buffer) is None
        buffer += data[i : i + 1]
    assert wire.decode(buffer) is not None and not buffer


@pytest.mark.parametrize("sizes", [(2**18 + 1, 0), (0, 2**28 + 1), (2**32 - 1, 2**32 - 1)])
def test_sizes_are_refused_before_anything_is_allocated(sizes: tuple[int, int]) -> None:
    with pytest.raises(wire.WireError, match="a frame of"):
        wire.decode(bytearray(wire.SIZES.pack(*sizes)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"arrays": [["<f8", [3]]]}, "larger than their bytes"),
        ({"arrays": [["<f8", [1]]]}, "belong to no array"),
        ({"arrays": [["|O", [2]]]}, "no dtype or shape"),
        ({"arrays": [["<f8", [-2]]]}, "no dtype or shape"),
        ({"arrays": [["<f3", [2]]]}, "no dtype or shape"),
        ({"counts": [2, 0, -1]}, "do not fit"),
        ({"counts": [-1, 2, -1]}, "counts that are none"),
        ({"error": 3}, "a text that is none"),
        ({"warned": "text"}, "no list"),
        ({"breaches": [["one"]]}, "pairs"),
    ],
)
def test_a_wrong_answer_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(wire.WireError, match=says):
        observed(frame(answer(**change), bytes(16)))


def test_a_deep_head_is_refused() -> None:
    with pytest.raises(wire.WireError, match="not JSON"):
        wire.decode(frame(b"[" * 100_000))


def test_texts_are_cut_and_harmless() -> None:
    seen = observed(frame(answer(error="\x1b[2J\ud800" + "x" * 1000), bytes(16)))
    assert seen.evaluation.error is not None
    assert seen.evaluation.error.isprintable() and len(seen.evaluation.error) == wire.MOST_TEXT
    seen.evaluation.error.encode()


def test_what_is_too_large_is_not_sent() -> None:
    with pytest.raises(wire.WireError, match="too large: at most 256 MiB"):
        wire.encode({}, [np.broadcast_to(np.zeros(()), (2**26,))])
