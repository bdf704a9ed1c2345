"""A layer without a spec: the line about its inputs, right layers in two styles, wrong layers, and the weak mode that says so."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from oracle.core.ball import PRECISIONS
from oracle.core.draw import calm_case
from oracle.core.judge import judge
from oracle.core.spec import LayerSpec
from oracle.search.likeness import InputsError, is_estimated, parse_inputs, spec_like
from oracle.search.sweep import sweep
from oracle.subjects import subject_of

DTYPES = ("float64", "float32")
Array = Any
F = torch.nn.functional


def elementwise(f: Callable[[Array], Array], slope: Callable[[Array], Array], mask: bool = False) -> type:
    """A layer of one function and its derivative, in the usual form."""

    class Layer:
        def forward(self, x: Array) -> Array:
            self.x = x
            with np.errstate(all="ignore"):
                return np.array(f(x)).astype(x.dtype)

        def backward(self, dout: Array) -> Array:
            if np.shape(dout) != np.shape(self.x):
                raise ValueError("dout: another shape than the result")
            with np.errstate(all="ignore"):
                return np.array(dout * slope(self.x)).astype(self.x.dtype)

    return Layer


def layer(forward: Callable[..., tuple[Array, Any]], backward: Callable[[Any, Array], Any]) -> type:
    """A layer of two functions; `held` is handed from one to the other."""

    class Layer:
        def __init__(self, *params: Array) -> None:
            self.params = params

        def forward(self, *inputs: Array) -> Array:
            with np.errstate(all="ignore"):
                y, self.held = forward(*inputs, *self.params)
            self.shape = np.shape(y)
            return y

        def backward(self, dout: Array) -> Any:
            if np.shape(dout) != self.shape:
                raise ValueError("dout: another shape than the result")
            with np.errstate(all="ignore"):
                grads = backward(self.held, dout)
            if self.params:
                self.dW, self.db = grads[1:]
                return grads[0]
            return grads

    return Layer


def sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(x.dtype)


def plain_sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


C = math.sqrt(2 / math.pi)


def gelu_parts(x: Array) -> tuple[Array, Array]:
    return np.tanh(C * (x + 0.044715 * x * x * x)), C * (1 + 3 * 0.044715 * x * x)


def _gelu_slope(x: Array) -> Array:
    t, steep = gelu_parts(x)
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * steep


def _gelu_slope_2(x: Array) -> Array:
    t, steep = gelu_parts(x)
    return (1 + t + x * (1 - t) * (1 + t) * steep) / 2


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _softmax_back(y: Array, g: Array) -> Array:
    return y * (g - (g * y).sum(axis=-1, keepdims=True))


def _softmax_back_2(y: Array, g: Array) -> Array:
    return g * y - y * np.sum(y * g, axis=-1, keepdims=True)


def log_softmax(x: Array) -> tuple[Array, Array]:
    d = x - x.max(axis=-1, keepdims=True)
    y = d - np.log(np.exp(d).sum(axis=-1, keepdims=True))
    return y, y


def lse(x: Array) -> tuple[Array, Array]:
    top = x.max(axis=1)
    y = top + np.log(np.exp(x - top[:, None]).sum(axis=1))
    return y, (x, y)


def normalised(x: Array, eps: float = 1e-5) -> tuple[Array, Array]:
    d = x - x.mean(axis=1, keepdims=True)
    scale = (1 / np.sqrt((d * d).mean(axis=1, keepdims=True) + x.dtype.type(eps))).astype(x.dtype)
    return d * scale, (d * scale, scale)


def _norm_back(held: Any, g: Array) -> Array:
    hat, scale = held
    return scale * (g - g.mean(axis=1, keepdims=True) - hat * (g * hat).mean(axis=1, keepdims=True))


def _norm_back_2(held: Any, g: Array) -> Array:
    hat, scale = held
    n = g.dtype.type(hat.shape[1])
    return (scale / n) * (n * g - g.sum(axis=1, keepdims=True) - hat * (g * hat).sum(axis=1, keepdims=True))


def _mean_square(x: Array, t: Array) -> tuple[Array, Array]:
    d = x - t
    return np.mean(d * d, dtype=x.dtype), d


def _mean_square_2(x: Array, t: Array) -> tuple[Array, Array]:
    d = x - t
    return ((d**2).sum() / x.dtype.type(d.size)).astype(x.dtype), d


def _muladd_back(held: Any, g: Array) -> Any:
    x, y = held
    return g * y, (g * x).sum(axis=0), g.sum(axis=1, keepdims=True)


NAMES = {
    "silu": ("F.silu(x)", None, elementwise(lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
             elementwise(lambda x: x / (1 + np.exp(-x)), lambda x: x * plain_sigmoid(x) + plain_sigmoid(x) * (1 - x * plain_sigmoid(x)))),
    "tanh": ("torch.tanh(x)", None, elementwise(np.tanh, lambda x: 1 - np.tanh(x) ** 2),
             elementwise(np.tanh, lambda x: (1 - np.tanh(x)) * (1 + np.tanh(x)))),
    "softplus": ("F.softplus(x)", None, elementwise(softplus, sigmoid), elementwise(lambda x: np.logaddexp(x, 0), plain_sigmoid)),
    "gelu": ("F.gelu(x, approximate='tanh')", None, elementwise(lambda x: 0.5 * x * (1 + gelu_parts(x)[0]), _gelu_slope),
             elementwise(lambda x: x * (0.5 + 0.5 * gelu_parts(x)[0]), _gelu_slope_2)),
    "leaky": ("F.leaky_relu(x)", None,
             elementwise(lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1, x.dtype.type(0.01))),
              elementwise(lambda x: np.maximum(x, x * 0.01), lambda x: np.where(x > 0, 1.0, 0.01))),
    "elu": ("F.elu(x)", None,
            elementwise(lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), lambda x: np.where(x > 0, 1, np.exp(np.minimum(x, 0)))),
            elementwise(lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
                        lambda x: np.where(x > 0, 1, (np.exp(np.minimum(x, 0)) - 1) + 1))),
    "softmax": ("F.softmax(x, -1)", "x: (N, 5)", layer(lambda x: (softmax(x), softmax(x)), _softmax_back),
                layer(lambda x: (softmax(x), softmax(x)), _softmax_back_2)),
    "log_softmax": ("F.log_softmax(x, -1)", "x: (N, 5)", layer(log_softmax, lambda y, g: g - np.exp(y) * g.sum(axis=-1, keepdims=True)),
                    layer(lambda x: (log_softmax(x)[0], softmax(x)), lambda y, g: g - y * g.sum(axis=-1, keepdims=True))),
    "layer_norm": ("F.layer_norm(x, (6,))", "x: (N, 6) in [-100, 100]", layer(normalised, _norm_back), layer(normalised, _norm_back_2)),
    "mse": ("F.mse_loss(x, t)", "x: (N, D), t: (N, D) constant", layer(_mean_square, lambda d, g: (g * 2 * d / d.dtype.type(d.size))),
            layer(_mean_square_2, lambda d, g: (d * (2 / d.dtype.type(d.size))).astype(d.dtype) * g)),
    "logsumexp": ("torch.logsumexp(x, 1)", "x: (N, 5) in [-50, 50]", layer(lse, lambda h, g: g[:, None] * np.exp(h[0] - h[1][:, None])),
                  layer(lse, lambda h, g: softmax(h[0]) * g[:, None])),
    "muladd": ("x * y + z", "x: (N, D), y: (D,), z: (N, 1)", layer(lambda x, y, z: (x * y + z, (x, y)), _muladd_back),
               layer(lambda x, y, z: (z + y * x, (x, y)), _muladd_back)),
    "linear": ("F.linear(x, W, b)", "x: (N, D) | W: (M, D), b: (M,)",
               layer(lambda x, W, b: (x @ W.T + b, (x, W)), lambda h, g: (g @ h[1], g.T @ h[0], g.sum(axis=0))),
               layer(lambda x, W, b: (np.einsum("nd,md->nm", x, W) + b, (x, W)),
                     lambda h, g: (np.einsum("nm,md->nd", g, h[1]), np.einsum("nm,nd->md", g, h[0]), np.ones(len(g), g.dtype) @ g))),
}  # fmt: skip

WRONG = {
    "silu without x s'": ("silu", elementwise(lambda x: x * sigmoid(x), sigmoid)),
    "tanh' = 1 - y": ("tanh", elementwise(np.tanh, lambda x: 1 - np.tanh(x))),
    "softplus that overflows": ("softplus", elementwise(lambda x: np.log(1 + np.exp(x)), sigmoid)),
    "a sum for a mean": ("mse", layer(lambda x, t: (np.sum((x - t) ** 2, dtype=x.dtype), x - t), lambda d, g: 2 * d * g)),
    "another leak": ("leaky", elementwise(lambda x: np.where(x > 0, x, 0.02 * x), lambda x: np.where(x > 0, 1, 0.02))),
}


def spec_of(name: str) -> LayerSpec:
    expression, inputs, *_ = NAMES[name]
    return spec_like(expression, inputs, name=name)


def failures(spec: LayerSpec, cls: Any, n: int) -> dict[Any, Any]:
    """What of the values failed; a lenient layer's manners (refusing, warning) are not the question here."""
    tally = sweep(spec, subject_of(spec, cls), 5, DTYPES, 0, n)
    return {key: f.finding.comparison for key, f in tally.failures.items() if key[2] in spec.quantities}


@pytest.mark.parametrize("style", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_a_right_layer_is_never_convicted(name: str, style: int) -> None:
    spec = spec_of(name)
    assert not is_estimated(spec)
    assert not failures(spec, NAMES[name][2 + style], 2000)


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_layer_is_convicted(what: str) -> None:
    name, cls = WRONG[what]
    assert failures(spec_of(name), cls, 300)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_small_error_in_one_element_is_seen(name: str, dtype: str) -> None:
    spec = spec_of(name)
    rng = np.random.default_rng(2)
    cls = NAMES[name][2]
    for quantity in spec.quantities:

        class Nudged:
            def __init__(self, *params: Array, quantity: str = quantity) -> None:
                self.inner, self.quantity = cls(*params), quantity

            def forward(self, *x: Array) -> Array:
                y = self.inner.forward(*x)
                return nudged(y) if self.quantity.startswith("forward") else y

            def backward(self, dout: Array) -> Any:
                found = self.inner.backward(dout)
                grads = list(found) if isinstance(found, tuple) else [found]
                for name in ("W", "b"):
                    if hasattr(self.inner, f"d{name}"):
                        grads.append(getattr(self.inner, f"d{name}"))
                if self.quantity in spec.backward_names:
                    i = spec.backward_names.index(self.quantity)
                    grads[i] = nudged(grads[i])
                return tuple(grads)

        def nudged(a: Array) -> Array:
            a = np.array(a)
            a.reshape(-1)[int(rng.integers(a.size))] *= a.dtype.type(1 + 2**10 * PRECISIONS[dtype].u)
            return a

        cases = (calm_case(spec, rng, spec.branches[i % len(spec.branches)], dtype) for i in range(60))
        assert any(f.name == quantity for case in cases for f in judge(spec, subject_of(spec, Nudged), case).findings), quantity


def test_the_line_about_the_inputs_is_understood() -> None:
    x, t, W = parse_inputs("x: (N, P*Q) in [-1, 2.5] | W: (P * Q, 3) positive".replace("|", ", t: (N,) index < C constant |"))
    assert x.dims == ("N", "P*Q") and x.interval == (-1, 2.5) and not x.constant and not x.param
    assert t.word == "index" and t.classes == "C" and t.constant
    assert W.dims == ("P*Q", 3) and W.word == "positive" and W.param
    (a,) = parse_inputs("x: any")
    assert a.dims is None
    assert parse_inputs("x: (N,), b: (N,)", params=("b",))[1].param


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x (N, D)", "expected a name, a colon and axes"),
        ("x: (N, D) postive", "'postive' is none of"),
        ("x: (N, D), x: (N,)", "x twice at 'x: \\(N,\\)' \\(character 11\\)"),
        ("x: (N, -1)", "'-1' is no axis"),
        ("x: (N,) in [2, 1]", "2 is above 1"),
        ("x: any, y: (N,)", "any"),
        ("t: (N,) index < 5", "at least one array must have a gradient"),
        ("| W: (N,)", "expected a name"),
    ],
)
def test_a_line_that_is_not_understood_says_where_and_how(text: str, message: str) -> None:
    with pytest.raises(InputsError, match=message):
        parse_inputs(text)
    with pytest.raises(InputsError, match="b is not described"):
        parse_inputs("x: (N,)", params=("b",))


def test_values_are_those_that_the_line_asks_for() -> None:
    spec = spec_like("x + y * z", "x: (N,) positive, y: (N,) in [0, 1], z: (N,) nonzero")
    rng = np.random.default_rng(0)
    for _ in range(20):
        case = calm_case(spec, rng, "inputs")
        assert (case.inputs["x"] > 0).all() and (case.inputs["z"] != 0).all()
        assert ((case.inputs["y"] >= 0) & (case.inputs["y"] <= 1)).all()
    labels = spec_like("F.cross_entropy(x, t)", "x: (N, C), t: (N,) index < C")
    case = calm_case(labels, rng, "inputs")
    assert case.inputs["t"].dtype.kind in "iu" and case.inputs["t"].max() < case.inputs["x"].shape[1]
    assert labels.wrt == ("x",) and case.dims["dout"] == ()


def test_a_module_has_its_parameters_fixed_and_a_function_its_name() -> None:
    module = torch.nn.Linear(3, 2)
    spec = spec_like(module, "x: (N, 3)")
    assert spec.wrt == ("x",) and spec.torch.startswith("Linear(") and not is_estimated(spec)
    W, b = (a.detach().numpy() for a in (module.weight, module.bias))
    dtyped = layer(lambda x: (x @ W.T.astype(x.dtype) + b.astype(x.dtype), x.dtype), lambda d, g: g @ W.astype(d))
    assert not failures(spec, dtyped, 300)
    assert spec_like(F.silu).torch == "torch.nn.functional.silu(x)" and spec_like(F.silu).branches == ("matrix", "any-rank")
    assert spec_like(lambda x: (x.sin(), x.cos())).outputs == ("out0", "out1")


def test_what_cannot_be_a_spec_says_why() -> None:
    with pytest.raises(TypeError, match="module instance"):
        spec_like(torch.nn.SiLU)
    with pytest.raises(ValueError, match="does not use y"):
        spec_like("x * 2", "x: (N,), y: (N,)")
    with pytest.raises(ValueError, match="does not answer"):
        spec_like("x @ y", "x: (N, D), y: (N, D)")


def test_an_operation_without_a_rule_is_named_and_its_bound_is_called_estimated() -> None:
    spec = spec_like("torch.lgamma(x) + x", "x: (N,) in [1, 5]")
    assert is_estimated(spec) == "torch.lgamma" and "estimated: no ball rule for torch.lgamma" in spec.summary
    assert not is_estimated(spec_like("x + 1")) and "derived" in spec_like("x + 1").summary
    case = calm_case(spec, np.random.default_rng(1), "inputs", "float32")
    ball = spec.bounds(PRECISIONS["float32"], case)["forward.out"]
    size = np.abs(ball.v) + np.abs(case.inputs["x"])
    assert (ball.radius > 0).all() and (ball.radius < 1e-4 * size).all()
