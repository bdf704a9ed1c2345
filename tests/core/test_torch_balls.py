"""Balls through torch functions: torch itself lies in them, mpmath agrees with the midpoints, and kinks follow torch's rule."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import torch

from oracle.core import torch_side
from oracle.core.ball import EXTENDED, PRECISIONS, Ball
from oracle.core.compare import compare
from oracle.core.observe import watching
from oracle.core.torch_balls import MissingRuleError, Propagated, prepared
from oracle.core.torch_balls.functions import erf_of, normal_share
from oracle.core.torch_balls.tape import Tracked
from oracle.search.likeness import is_estimated, spec_like
from oracle.search.numbered import cases

ANY = None
POSITIVE = "x: any positive"
FUNCTIONS: dict[str, str | None] = {
    **{f"F.{name}(x)": ANY for name in (
        "silu", "relu", "gelu", "leaky_relu", "elu", "selu", "celu", "mish", "hardtanh", "relu6", "hardsigmoid", "hardswish", "softsign",
        "logsigmoid", "tanhshrink", "softplus",
    )},
    **{f"torch.{name}(x)": ANY for name in ("tanh", "sigmoid", "exp", "expm1", "sin", "cos", "abs", "square", "erf", "atan", "neg")},
    **{f"torch.{name}(x)": POSITIVE for name in ("log", "log1p", "sqrt", "rsqrt", "log2", "log10")},
    "torch.reciprocal(x)": "x: any nonzero", "x.clamp(-1, 2)": ANY, "x ** 3": ANY, "x ** 0.7": POSITIVE, "2.0 ** x": ANY,
    "F.gelu(x, approximate='tanh')": ANY, "x * torch.sigmoid(x)": ANY, "torch.where(x > 0, x, 0.1 * (x.exp() - 1))": ANY,
    "x * y + z": "x: (N, D), y: (D,), z: (N, 1)", "x / y": "x: (N, D), y: (N, D) nonzero", "torch.maximum(x, y)": "x: any, y: any",
    "F.linear(x, W, b)": "x: (N, D) | W: (M, D), b: (M,)", "x @ W + b": "x: (N, P, D) | W: (D, M), b: (M,)",
    "x @ y": "x: (N, P, D), y: (N, D, M)", "torch.cat([x, y], 1)": "x: (N, D), y: (N, M)", "x[:, ::2].T * 2": "x: (N, 6)",
    "F.softmax(x, -1)": "x: (N, C)", "F.log_softmax(x, 1)": "x: (N, C, L)", "torch.logsumexp(x, 1)": "x: (N, C)",
    "x.mean(0)": "x: (N, D)", "x.sum()": ANY, "x.var(-1, unbiased=False)": "x: (N, D)", "x.std(1, correction=0)": "x: (N, D)",
    "x.amax(1)": "x: (N, D)", "x.max(1)[0]": "x: (N, D)", "x.cumsum(1)": "x: (N, D)", "F.normalize(x)": "x: (N, D)",
    "torch.linalg.vector_norm(x, dim=-1)": "x: (N, D)", "F.layer_norm(x, x.shape[-1:])": "x: (N, D)",
    "F.layer_norm(x, x.shape[-1:], g, b)": "x: (N, D) | g: (D,), b: (D,)", "F.rms_norm(x, x.shape[-1:], eps=1e-6)": "x: (N, D)",
    "F.mse_loss(x, t)": "x: (N, D), t: (N, D)", "F.l1_loss(x, t)": "x: (N, D), t: (N, D)", "F.huber_loss(x, t)": "x: (N, D), t: (N, D)",
    "F.smooth_l1_loss(x, t, beta=0.3)": "x: (N, D), t: (N, D)",
    "F.binary_cross_entropy(x, t)": "x: (N, D) in [0, 1], t: (N, D) in [0, 1] constant",
    "F.binary_cross_entropy_with_logits(x, t)": "x: (N, D), t: (N, D) in [0, 1]",
    "F.cross_entropy(x, t)": "x: (N, C), t: (N,) index < C", "F.nll_loss(x, t)": "x: (N, C), t: (N,) index < C",
    "F.glu(x)": "x: (N, 6)", "F.softmax(q @ k.transpose(-1, -2) / 4, -1) @ v": "q: (N, L, D), k: (N, S, D), v: (N, S, M)",
}  # fmt: skip


@pytest.mark.parametrize("expression", FUNCTIONS)
def test_torch_lies_in_its_own_ball(expression: str) -> None:
    spec = spec_like(expression, FUNCTIONS[expression])
    assert not is_estimated(spec)
    n_elements = n_undetermined = n_cases = 0
    for index, case in cases(spec, 7, ("float64", "float32", "float16"), 0, 240):
        with watching():
            expected = torch_side.evaluate(spec, case)
        if case.refusal or expected.error:
            continue
        n_cases += 1
        balls = spec.bounds(PRECISIONS[case.dtype], case)
        for name, answer in zip(spec.quantities, expected.outputs + expected.grads, strict=True):
            assert balls[name].shape == answer.shape, (index, name)
            with np.errstate(all="ignore"):
                found = compare(name, answer, answer, balls[name])
            assert not found.inconclusive, (index, name)
            n_elements += found.n_elements
            n_undetermined += found.n_undetermined
    assert n_cases > 150
    assert n_undetermined < 0.25 * n_elements


def ball(expression: str, dtype: str = "float64", **arrays: Any) -> dict[str, Ball]:
    """The balls of an expression at exact arrays, with a cotangent of ones."""
    spec = spec_like(expression, ", ".join(f"{n}: ({', '.join(f'A{i}' for i in range(np.ndim(a)))},)" for n, a in arrays.items()))
    given = {n: np.asarray(a, dtype) for n, a in arrays.items()}
    shape = np.shape(torch_side.compiled(expression, tuple(given))(*[torch.from_numpy(a) for a in given.values()]))
    from oracle.core.case import Case

    case = Case("", "inputs", dtype, given, {}, {"out": np.ones(shape, dtype)}, {}, {})
    return Propagated(prepared(expression, tuple(given)), ("out",), spec.wrt)(PRECISIONS[dtype], case)


def test_the_error_function_is_right_to_the_last_places() -> None:
    x = np.concatenate([np.linspace(-6, 6, 97), [1e-8, 0.3, 2.9999, 3.0001]])
    exact = np.array([float(mpmath.erf(v)) for v in x])
    np.testing.assert_allclose(erf_of(x), exact, rtol=1e-14)
    long = erf_of(x.astype(np.longdouble))
    assert long.dtype == np.longdouble and np.abs(long - exact).max() < 3e-16
    share = normal_share(Ball.exact(PRECISIONS["float64"], x))
    truth = np.array([float(mpmath.ncdf(v)) for v in x])
    assert (np.abs(share.v - truth) <= share.radius).all()


@pytest.mark.parametrize("name", ["silu", "gelu", "mish", "softplus", "elu", "tanh"])
def test_the_midpoint_of_a_derivative_is_the_true_one(name: str) -> None:
    x = np.linspace(-9, 9, 61) + 0.01
    found = ball(f"F.{name}(x)", x=x)
    functions: dict[str, Any] = {
        "silu": lambda v: v / (1 + mpmath.exp(-v)), "gelu": lambda v: v * mpmath.ncdf(v), "tanh": mpmath.tanh,
        "mish": lambda v: v * mpmath.tanh(mpmath.log(1 + mpmath.exp(v))), "softplus": lambda v: mpmath.log(1 + mpmath.exp(v)),
        "elu": lambda v: v if v > 0 else mpmath.expm1(v),
    }  # fmt: skip
    with mpmath.workdps(40):
        values = np.array([float(functions[name](mpmath.mpf(v))) for v in x])
        slopes = np.array([float(mpmath.diff(functions[name], mpmath.mpf(v))) for v in x])
    assert (np.abs(found["forward.out"].v - values) <= found["forward.out"].radius + 1e-16 * np.abs(values)).all()
    assert (np.abs(found["backward.dx"].v - slopes) <= found["backward.dx"].radius + 1e-16).all()


@pytest.mark.parametrize(
    ("expression", "at", "gradient"),
    [
        ("F.relu(x)", 0.0, 0.0), ("x.clamp(min=0)", 0.0, 1.0), ("torch.abs(x)", 0.0, 0.0), ("F.leaky_relu(x)", 0.0, 0.01),
        ("F.hardtanh(x)", 1.0, 0.0), ("F.hardswish(x)", 3.0, 1.0), ("torch.maximum(x, torch.zeros(1, dtype=x.dtype))", 0.0, 0.5),
    ],
)  # fmt: skip
def test_at_a_kink_torch_s_own_rule_holds(expression: str, at: float, gradient: float) -> None:
    found = ball(expression, x=[at])["backward.dx"]
    assert found.v[0] == pytest.approx(gradient) and found.radius[0] < 1e-15


def test_a_ball_that_straddles_a_kink_allows_either_side() -> None:
    x = Tracked(Ball(PRECISIONS["float32"], np.array([0.1]), np.array([0.2])))
    y: Any = torch.relu(x)  # type: ignore[call-overload]
    g = y.edges[0].vjp(Ball.exact(PRECISIONS["float32"], [3.0]))
    assert g.v[0] == 3 and g.radius[0] >= 3
    mask: Any = x > 0
    assert mask.truth[0] and mask.unsure[0]
    chosen: Any = torch.where(mask, x * 0 + 5, x * 0 + 1)
    assert chosen.ball.v[0] - chosen.ball.radius[0] <= 1


def test_a_sum_of_three_allows_every_order_and_a_bias_that_comes_first() -> None:
    big = np.array([1e8])
    three = ball("x + y + z", "float32", x=big, y=-big, z=[1.0])["forward.out"]
    two = ball("x + y", "float32", x=big, y=-big)["forward.out"]
    assert two.radius[0] == 0 and three.radius[0] >= 1e8 * PRECISIONS["float32"].u


def test_an_overflow_is_not_determined() -> None:
    assert np.isposinf(ball("torch.exp(x)", "float32", x=[89.0])["forward.out"].radius).all()
    assert np.isposinf(ball("x * x", "float32", x=[1e20])["forward.out"].radius).all()


def test_midpoints_may_be_extended() -> None:
    p = EXTENDED["float64"]
    for name in ("silu", "gelu", "softplus", "mish", "softmax"):
        function: Any = getattr(torch.nn.functional, name)
        y = function(Tracked(Ball.exact(p, np.array([[0.5, -1.5]]))), **({"dim": 1} if name == "softmax" else {}))
        assert y.ball.v.dtype == p.wide, name


@pytest.mark.parametrize("expression", ["torch.lgamma(x)", "x if x.sum() > 0 else -x", "x * float(x[0])", "F.dropout(x, 0.5)"])
def test_what_balls_do_not_go_through_is_named(expression: str) -> None:
    function = prepared(expression, ("x",))
    with pytest.raises(MissingRuleError) as missing:
        function(Tracked(Ball.exact(PRECISIONS["float64"], np.ones(3))))
    assert str(missing.value)
