"""What every layer promises besides its values: arguments untouched, results of its own, repeatable, clear errors."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from reference import AddLayer, Affine, MulLayer, Relu, Sigmoid, SoftmaxWithLoss

DTYPES = (np.float16, np.float32, np.float64)


@dataclass
class Subject:
    """A layer, a maker of its forward arguments, and arguments that its forward refuses."""

    make: Callable[[Any], Any]
    inputs: Callable[[np.random.Generator, int, Any], tuple[Any, ...]]
    refused: tuple[Any, ...]


def _normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return rng.normal(size=shape).astype(dtype)


def _affine(dtype: Any) -> Affine:
    rng = np.random.default_rng(7)
    return Affine(_normal(rng, (6, 4), dtype), _normal(rng, (4,), dtype))


SUBJECTS = {
    "add": Subject(
        lambda _: AddLayer(),
        lambda rng, n, dtype: (_normal(rng, (n, 4), dtype), _normal(rng, (n, 4), dtype)),
        (np.ones(2), np.ones(3)),
    ),
    "add-broadcast": Subject(
        lambda _: AddLayer(),
        lambda rng, n, dtype: (_normal(rng, (n, 1), dtype), _normal(rng, (4,), dtype)),
        (np.ones(2), np.ones(3)),
    ),
    "mul": Subject(
        lambda _: MulLayer(),
        lambda rng, n, dtype: (_normal(rng, (n, 4), dtype), _normal(rng, (n, 4), dtype)),
        (np.ones(2), np.ones(3)),
    ),
    "mul-broadcast": Subject(
        lambda _: MulLayer(),
        lambda rng, n, dtype: (_normal(rng, (n, 1), dtype), _normal(rng, (4,), dtype)),
        (np.ones(2), np.ones(3)),
    ),
    "relu": Subject(lambda _: Relu(), lambda rng, n, dtype: (_normal(rng, (n, 4), dtype),), ("text",)),
    "sigmoid": Subject(lambda _: Sigmoid(), lambda rng, n, dtype: (_normal(rng, (n, 4), dtype),), ("text",)),
    "affine": Subject(_affine, lambda rng, n, dtype: (_normal(rng, (n, 6), dtype),), (np.ones((2, 5)),)),
    "affine-rank-3": Subject(_affine, lambda rng, n, dtype: (_normal(rng, (n, 2, 3), dtype),), (np.ones((2, 5)),)),
    "loss-index": Subject(
        lambda _: SoftmaxWithLoss(),
        lambda rng, n, dtype: (_normal(rng, (n, 4), dtype), rng.integers(0, 4, n)),
        (np.ones((2, 3)), [0, 9]),
    ),
    "loss-probabilities": Subject(
        lambda _: SoftmaxWithLoss(),
        lambda rng, n, dtype: (_normal(rng, (n, 4), dtype), rng.dirichlet(np.ones(4), n).astype(dtype)),
        (np.ones((2, 3)), np.ones((2, 2))),
    ),
}


@pytest.fixture(params=SUBJECTS, name="subject")
def _subject(request: pytest.FixtureRequest) -> Subject:
    return SUBJECTS[request.param]


def _arrays(value: Any) -> list[np.ndarray]:
    return [a for a in (value if isinstance(value, tuple) else (value,)) if isinstance(a, np.ndarray)]


def _gradients(layer: Any, dx: Any) -> list[np.ndarray]:
    return _arrays(dx) + [a for a in (getattr(layer, "dW", None), getattr(layer, "db", None)) if a is not None]


def _results(layer: Any, dx: Any) -> list[np.ndarray]:
    return [a.copy() for a in _gradients(layer, dx)]


def _equal(left: list[np.ndarray], right: list[np.ndarray]) -> None:
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def _cotangent(rng: np.random.Generator, y: Any) -> Any:
    return rng.normal(size=np.shape(y)).astype(y.dtype)


def test_backward_before_forward_says_so(subject: Subject) -> None:
    with pytest.raises(RuntimeError, match="forward first"):
        subject.make(np.float64).backward(1.0)


def test_a_forward_that_raises_leaves_no_forward(subject: Subject) -> None:
    layer = subject.make(np.float64)
    layer.forward(*subject.inputs(np.random.default_rng(0), 3, np.float64))
    with pytest.raises((ValueError, TypeError, IndexError)):
        layer.forward(*subject.refused)
    with pytest.raises(RuntimeError, match="forward first"):
        layer.backward(1.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 3])
def test_arguments_stay_and_results_are_separate(subject: Subject, n: int, dtype: Any) -> None:
    rng = np.random.default_rng(1)
    layer, inputs = subject.make(dtype), subject.inputs(rng, n, dtype)
    parameters = [getattr(layer, name) for name in ("W", "b") if hasattr(layer, name)]
    kept = [a.copy() for a in (*inputs, *parameters)]
    y = layer.forward(*inputs)
    attributes = [a for a in (getattr(layer, "y", None), getattr(layer, "t", None)) if a is not None]
    dout = _cotangent(rng, y)
    dout_kept = np.array(dout)
    dx = layer.backward(dout)
    _equal([*inputs, *parameters], kept)
    np.testing.assert_array_equal(dout, dout_kept)
    everything = [*inputs, *parameters, *attributes, *_arrays(y), *_arrays(dout), *_gradients(layer, dx)]
    for a, b in combinations(everything, 2):
        assert not np.shares_memory(a, b)
    for a in _arrays(dx):
        assert a.flags.writeable


@pytest.mark.parametrize("dtype", DTYPES)
def test_backward_twice_agrees_and_gives_new_arrays(subject: Subject, dtype: Any) -> None:
    rng = np.random.default_rng(2)
    layer = subject.make(dtype)
    dout = _cotangent(rng, layer.forward(*subject.inputs(rng, 3, dtype)))
    dx = layer.backward(dout)
    first = _results(layer, dx)
    live = _gradients(layer, dx)
    for a in live:
        a[...] = 99
    dx = layer.backward(dout)
    _equal(first, _results(layer, dx))
    assert all((a == 99).all() for a in live)


@pytest.mark.parametrize("dtype", DTYPES)
def test_writing_into_input_result_and_attributes_changes_no_gradient(subject: Subject, dtype: Any) -> None:
    rng = np.random.default_rng(3)
    layer, inputs = subject.make(dtype), subject.inputs(rng, 3, dtype)
    y = layer.forward(*inputs)
    dout = _cotangent(rng, y)
    expected = _results(layer, layer.backward(dout))
    attributes = [getattr(layer, name) for name in ("W", "b", "y", "t") if getattr(layer, name, None) is not None]
    for a in (*inputs, *_arrays(y), *attributes):
        a[...] = 2
    _equal(_results(layer, layer.backward(dout)), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_second_forward_of_another_shape_starts_afresh(subject: Subject, dtype: Any) -> None:
    rng = np.random.default_rng(4)
    used, fresh, inputs = subject.make(dtype), subject.make(dtype), subject.inputs(rng, 2, dtype)
    used.backward(_cotangent(rng, used.forward(*subject.inputs(rng, 5, dtype))))
    y = used.forward(*inputs)
    dout = _cotangent(rng, y)
    np.testing.assert_array_equal(fresh.forward(*inputs), y)
    _equal(_results(used, used.backward(dout)), _results(fresh, fresh.backward(dout)))


def test_a_cotangent_of_another_shape_is_refused_with_both_shapes(subject: Subject) -> None:
    rng = np.random.default_rng(5)
    layer = subject.make(np.float64)
    shape = np.shape(layer.forward(*subject.inputs(rng, 3, np.float64)))
    for wrong in ((3, 5), (4,), (1, 4), (1,)):
        with pytest.raises(ValueError) as error:
            layer.backward(np.ones(wrong))
        assert str(wrong) in str(error.value) and str(shape) in str(error.value)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_cotangent_of_another_dtype_leaves_the_gradients_dtype(subject: Subject, dtype: Any) -> None:
    rng = np.random.default_rng(6)
    layer = subject.make(dtype)
    shape = np.shape(layer.forward(*subject.inputs(rng, 3, dtype)))
    for other in (np.float16, np.float32, np.float64, np.int32):
        layer_dx = layer.backward(np.ones(shape, other))
        assert {a.dtype for a in _results(layer, layer_dx)} == {np.dtype(dtype)}


@pytest.mark.parametrize("layout", ["fortran", "strided", "reversed", "read-only", "swapped"])
def test_memory_layout_does_not_matter(subject: Subject, layout: str) -> None:
    def lay(a: np.ndarray) -> np.ndarray:
        if layout == "fortran":
            return np.asfortranarray(a)
        if layout == "strided":
            return np.repeat(a, 2, axis=0)[::2]
        if layout == "reversed":
            return np.ascontiguousarray(a[::-1])[::-1]
        if layout == "swapped":
            return a.astype(a.dtype.newbyteorder())
        b = a.copy()
        b.flags.writeable = False
        return b

    rng = np.random.default_rng(8)
    plain, other = subject.make(np.float64), subject.make(np.float64)
    inputs = subject.inputs(rng, 5, np.float64)
    y = plain.forward(*inputs)
    dout = _cotangent(rng, y)
    z = other.forward(*(lay(a) for a in inputs))
    assert z.dtype.isnative
    np.testing.assert_allclose(z, y, rtol=1e-13)
    plain_results = _results(plain, plain.backward(dout))
    other_results = _results(other, other.backward(lay(dout) if np.ndim(dout) else dout))
    for a, b in zip(plain_results, other_results, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("bad", [np.array([["a"]]), np.ones((1, 6), complex), np.array([[None]]), "1"])
def test_what_is_no_real_number_is_refused_by_name(subject: Subject, bad: Any) -> None:
    layer = subject.make(np.float64)
    good = subject.inputs(np.random.default_rng(9), 1, np.float64)
    with pytest.raises(TypeError, match="^x must"):
        layer.forward(bad, *good[1:])
    shape = np.shape(layer.forward(*good))
    with pytest.raises(TypeError, match="^dout must"):
        layer.backward(np.full(shape, 1j))


def test_lists_work_as_arrays_do(subject: Subject) -> None:
    inputs = subject.inputs(np.random.default_rng(10), 3, np.float64)
    one, two = subject.make(np.float64), subject.make(np.float64)
    y = one.forward(*inputs)
    np.testing.assert_array_equal(two.forward(*(a.tolist() for a in inputs)), y)
    dout = np.ones(np.shape(y))
    _equal(_results(one, one.backward(dout)), _results(two, two.backward(dout.tolist())))
