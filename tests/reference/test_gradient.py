"""numerical_gradient: values, and x left exactly as it was."""

from typing import Any

import numpy as np
import pytest

from reference import numerical_gradient


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 2e-2), (np.float32, 1e-4), (np.float64, 1e-9)])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 1, 2)])
def test_a_quadratic(dtype: Any, tolerance: float, shape: tuple[int, ...]) -> None:
    x = np.asarray(np.random.default_rng(0).uniform(0.5, 1.5, shape)).astype(dtype)
    kept = x.tobytes()
    grad = numerical_gradient(lambda a: float((a.astype(np.float64) ** 2).sum()), x)
    assert (grad.shape, grad.dtype) == (shape, dtype)
    np.testing.assert_allclose(grad, 2 * x, rtol=tolerance)
    assert x.tobytes() == kept


def test_f_may_close_over_x() -> None:
    x = np.array([1.0, 2.0])
    np.testing.assert_allclose(numerical_gradient(lambda _: x[0] * x[1], x), [2, 1], rtol=1e-10)


def test_the_step_is_1e_4_and_can_be_chosen() -> None:
    seen: list[float] = []
    x = np.array([1.0])
    numerical_gradient(lambda a: seen.append(float(a[0])) or 0.0, x)
    numerical_gradient(lambda a: seen.append(float(a[0])) or 0.0, x, h=0.5)
    assert seen == [1 + 1e-4, 1 - 1e-4, 1.5, 0.5]


def test_a_cube_shows_the_central_difference() -> None:
    # (x+h)^3 - (x-h)^3 over 2h is 3x^2 + h^2; a one-sided difference would leave 3xh.
    assert numerical_gradient(lambda a: a[0] ** 3, np.array([1.0]), h=0.5)[0] == 3.25


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_bit_comes_back_also_when_f_raises(dtype: Any) -> None:
    bits = {2: np.uint16, 4: np.uint32, 8: np.uint64}[np.dtype(dtype).itemsize]
    x = np.array([0.1, -0.0, np.nan, np.inf, 1e-7, 3]).astype(dtype)
    x.view(bits)[2] = np.array(np.inf, dtype).view(bits) + 1  # a signalling NaN, which arithmetic would quieten
    kept = x.tobytes()
    for good in range(12):
        answers = iter([0.0] * good)
        with pytest.raises(StopIteration):
            numerical_gradient(lambda _, answers=answers: next(answers), x)
        assert x.tobytes() == kept
    with pytest.raises(ValueError, match=r"\(6,\)"):
        numerical_gradient(lambda a: a, x)
    assert x.tobytes() == kept


@pytest.mark.parametrize("view", [np.s_[:, ::2], np.s_[::-1], np.s_[:, 1:3]])
def test_a_view_is_differentiated_in_place(view: Any) -> None:
    base = np.arange(12.0).reshape(3, 4)
    x = base[view]
    np.testing.assert_allclose(numerical_gradient(lambda _: (base**2).sum() / 2, x), x, atol=1e-8)
    np.testing.assert_allclose(numerical_gradient(lambda _: (base**2).sum() / 2, base.T), base.T, atol=1e-8)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_nothing_to_differentiate(shape: tuple[int, ...]) -> None:
    def never(_: np.ndarray) -> float:
        raise AssertionError("called")

    assert numerical_gradient(never, np.zeros(shape, np.float32)).shape == shape


def test_f_may_return_an_array_of_one() -> None:
    assert numerical_gradient(lambda a: a * 2, np.array([1.0]))[0] == pytest.approx(2)


def test_huge_and_infinite_values_are_silent() -> None:
    assert numerical_gradient(lambda a: 1e300 * a[0], np.array([0.0]))[0] == pytest.approx(1e300)
    assert numerical_gradient(lambda a: 1e300 * float(a[0]), np.array([0.0], np.float32))[0] == np.inf
    assert np.isnan(numerical_gradient(lambda a: np.inf, np.array([1.0]))[0])


def test_refusals() -> None:
    fixed = np.ones(2)
    fixed.flags.writeable = False
    for x, error, words in (
        (np.array([1, 2]), TypeError, "int64.*cut back"),
        (np.array([1j]), TypeError, "complex128"),
        ([1.0], TypeError, "list"),
        (1.0, TypeError, "float"),
        (fixed, ValueError, "read-only"),
    ):
        with pytest.raises(error, match=words):
            numerical_gradient(lambda a: 0.0, x)
