"""What is said of a net that is none: what was expected, and what came instead."""

from __future__ import annotations

import types
import warnings
from typing import Any

import numpy as np
import pytest
from somenets import BookNet, T, X, net_with

from oracle.subjects.nets import NetError, NetSubject


def returning(value: Any) -> Any:
    return lambda net, x, t: value


RIGHT = {"W1": np.zeros((4, 3)), "b1": np.zeros(3)}
WRONG_GRADIENTS = {
    "tuple": ((1, 2), r"gradient returned of type tuple, not a dict with W1, b1"),
    "nothing": (None, "gradient returned None, not a dict"),
    "lacking": ({"W1": RIGHT["W1"]}, "gradient returned no 'b1'; it returned W1"),
    "empty": ({}, "gradient returned no 'W1'; it returned nothing"),
    "shape": ({**RIGHT, "b1": np.zeros((1, 3))}, r"gradient\['b1'\] has shape \(1, 3\), its parameter \(3,\)"),
    "transposed": ({**RIGHT, "W1": np.zeros((3, 4))}, r"gradient\['W1'\] has shape \(3, 4\), its parameter \(4, 3\)"),
    "text": ({**RIGHT, "b1": "abc"}, r"gradient\['b1'\] is of type str, not an array of numbers"),
    "complex": ({**RIGHT, "b1": np.zeros(3, complex)}, r"gradient\['b1'\] is an array of complex128"),
    "objects": ({**RIGHT, "b1": [None] * 3}, r"gradient\['b1'\] is of type list"),
    "too large to copy": ({**RIGHT, "b1": np.broadcast_to(np.zeros(1), (1 << 50,))}, "has shape"),
}


@pytest.mark.parametrize("name", WRONG_GRADIENTS)
def test_a_gradient_that_is_none(name: str) -> None:
    value, says = WRONG_GRADIENTS[name]
    with pytest.raises(NetError, match=says):
        NetSubject(net_with(gradient=returning(value))).step(X, T, 0.1)


@pytest.mark.parametrize("value", [None, "0.5", np.zeros(2), [], {"loss": 1.0}, 1j, True])
def test_a_loss_that_is_no_number(value: Any) -> None:
    with pytest.raises(NetError, match="loss returned .*, not a number"):
        NetSubject(net_with(loss=returning(value))).loss(X, T)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.full((1, 1), 0.5), 1, float("nan")])
def test_a_loss_that_is_a_number(value: Any) -> None:
    found = NetSubject(net_with(loss=returning(value))).loss(X, T)
    assert found.shape == () and np.array_equal(found, np.asarray(value).item(), equal_nan=True)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        (None, "Net has no params"),
        ([np.zeros(3)], "params is of type list; it must be a dict of float arrays"),
        ({}, "params has 0 entries"),
        ({"W1": [1.0]}, r"params\['W1'\] is of type list; parameters are NumPy arrays of floats"),
        ({"W1": np.zeros(3, int)}, r"params\['W1'\] is an array of int64 with shape \(3,\)"),
        ({"W1": np.float64(1)}, r"params\['W1'\] is of type float64"),
        ({1: np.zeros(3)}, "params has a name that is of type int"),
        ({"": np.zeros(3)}, "names are printable texts"),
        ({"a\x1b": np.zeros(3)}, "names are printable texts"),
        ({str(i): np.zeros(1) for i in range(256)}, "params has 256 entries; at least 1 and at most 255"),
        (types.MappingProxyType({"W1": np.zeros(3)}), "params is of type mappingproxy"),
    ],
)
def test_params_that_are_none(params: Any, says: str) -> None:
    net = net_with()
    net.params = params
    with pytest.raises(NetError, match=says):
        NetSubject(net)


@pytest.mark.parametrize("method", ["loss", "gradient"])
def test_a_net_without_a_method(method: str) -> None:
    with pytest.raises(NetError, match=rf"Net has no method {method}\(x, t\)"):
        NetSubject(net_with(**{method: None}))  # type: ignore[arg-type]


def test_a_parameter_that_is_lost_on_the_way() -> None:
    def gradient(net: Any, x: Any, t: Any) -> Any:
        return {name: net.params.pop(name) for name in ("W1", "b1")}

    with pytest.raises(NetError, match="params has lost 'W1'"):
        NetSubject(net_with(gradient=gradient)).gradient(X, T)


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit("x"), StopIteration("x"), ZeroDivisionError("x")])
def test_what_the_net_raises_names_the_call(error: BaseException) -> None:
    def gradient(net: Any, x: Any, t: Any) -> Any:
        raise error

    with pytest.raises(NetError, match=f"gradient raised {type(error).__name__}: "):
        NetSubject(net_with(gradient=gradient)).step(X, T, 0.1)


def test_ctrl_c_is_not_the_nets() -> None:
    def gradient(net: Any, x: Any, t: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        NetSubject(net_with(gradient=gradient)).step(X, T, 0.1)


def test_warnings_are_not_fatal() -> None:
    def loss(net: Any, x: Any, t: Any) -> Any:
        warnings.warn("of the net", UserWarning, stacklevel=1)
        return np.log(np.zeros(())) + BookNet.loss(net, x, t)

    with np.errstate(all="raise"):
        assert NetSubject(net_with(loss=loss)).loss(X, T) == -np.inf
