"""Calling conventions: from arrays by name to calls of the object under judgement, and back to results in the spec's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from oracle.core.case import Array, Arrays
from oracle.core.observe import SubjectError
from oracle.core.spec import LayerSpec, Signature
from oracle.subjects.replacing import replace_array

Config = Mapping[str, Any]


class Subject(Protocol):
    """What `judge` asks of whoever is judged. Results are tuples in the order of the spec's `outputs` and `wrt`."""

    def start(self, params: Arrays, config: Config) -> Any:
        """A fresh object with these parameters."""
        ...

    def forward(self, state: Any, inputs: Arrays) -> tuple[Any, ...]:
        """The forward results."""
        ...

    def backward(self, state: Any, cotangents: Arrays) -> tuple[Any, ...]:
        """The gradients."""
        ...


def _given(a: Array) -> Any:
    """What is handed over: a 0-d array as the NumPy scalar that arithmetic would have made of it."""
    return a[()] if a.ndim == 0 else a


class LayerSubject:
    """`layer = cls(*params)`, `forward(*inputs)`, `backward(dout)` returning the inputs' gradients; params' as `.dW` and so on."""

    def __init__(self, spec: Signature, cls: Callable[..., Any]) -> None:
        self._cls = cls
        self._wrt = spec.wrt

    def start(self, params: Arrays, config: Config) -> Any:
        return self._cls(*params.values())

    def forward(self, state: Any, inputs: Arrays) -> tuple[Any, ...]:
        return (state.forward(*[_given(a) for a in inputs.values()]),)

    def backward(self, state: Any, cotangents: Arrays) -> tuple[Any, ...]:
        (dout,) = cotangents.values()
        returned = state.backward(_given(dout))
        grads = returned if isinstance(returned, tuple) else (returned,)
        names = self._wrt[len(grads) :]
        if len(grads) > len(self._wrt) or not all(hasattr(state, f"d{name}") for name in names):
            raise SubjectError(f"backward returned {len(grads)} result(s) for the gradients of {', '.join(self._wrt)}")
        return (*grads, *[getattr(state, f"d{name}") for name in names]) if names else grads


class FunctionSubject:
    """`function(*inputs)`; there is no backward."""

    def __init__(self, spec: Signature, function: Callable[..., Any]) -> None:
        self._function = function

    def start(self, params: Arrays, config: Config) -> Any:
        return None

    def forward(self, state: Any, inputs: Arrays) -> tuple[Any, ...]:
        return (self._function(*[_given(a) for a in inputs.values()]),)

    def backward(self, state: Any, cotangents: Arrays) -> tuple[Any, ...]:
        raise SubjectError("a function has no backward")


class GradientSubject:
    """`numerical_gradient(f, x)`: f is one of the spec's own functions, named by the case's configuration."""

    def __init__(self, spec: Signature, function: Callable[..., Any]) -> None:
        self._function = function

    def start(self, params: Arrays, config: Config) -> Any:
        return config["function"]

    def forward(self, state: Any, inputs: Arrays) -> tuple[Any, ...]:
        return (self._function(_quiet(SCALAR_FUNCTIONS[state]), inputs["x"]),)

    def backward(self, state: Any, cotangents: Arrays) -> tuple[Any, ...]:
        raise SubjectError("a numerical gradient has no backward")


SCALAR_FUNCTIONS: dict[str, Callable[[Array], Any]] = {
    "quadratic": lambda x: np.sum(x * x),
    "cubic": lambda x: np.sum(x * x * x),
    "sine": lambda x: np.sum(np.sin(x)),
}
"""The functions that a numerical gradient is taken of."""


def _quiet(function: Callable[[Array], Any]) -> Callable[[Array], Any]:
    """The same function without warnings: an overflow in it is not the doing of whoever takes its gradient."""

    def evaluated(x: Array) -> Any:
        with np.errstate(all="ignore"):
            return function(x)

    return evaluated


class NetworkSubject:
    """A two-layer net: built from its sizes, given its parameters wherever it keeps those that it has drawn; `params`, `predict`, `loss`,
    `accuracy`, and `gradient` returning a dict by parameter."""

    def __init__(self, spec: Signature, cls: Callable[..., Any]) -> None:
        self._cls = cls
        self._wrt = spec.wrt

    def start(self, params: Arrays, config: Config) -> Any:
        (inputs, hidden), outputs = params["W1"].shape, params["W2"].shape[1]
        net = self._cls(inputs, hidden, outputs)
        for name, a in params.items():
            drawn, net.params[name] = net.params.get(name), a
            # the layers of a textbook's net hold the arrays that it was built with
            kept = replace_array(net, drawn, a) if isinstance(drawn, np.ndarray) else None
            if kept is not None:
                raise SubjectError(f"params[{name!r}] cannot be set: {kept} holds on to a view of the array that the net was built with")
        return [net, None]

    def forward(self, state: Any, inputs: Arrays) -> tuple[Any, ...]:
        net, x, t = state[0], inputs["x"], inputs["t"]
        state[1] = (x, t)
        return net.predict(x), net.loss(x, t), net.accuracy(x, t)

    def backward(self, state: Any, cotangents: Arrays) -> tuple[Any, ...]:
        net, (x, t) = state
        grads = net.gradient(x, t)
        return tuple([grads[name] for name in self._wrt])


CONVENTIONS: dict[str, Callable[[Signature, Any], Subject]] = {
    "layer": LayerSubject,
    "function": FunctionSubject,
    "gradient": GradientSubject,
    "network": NetworkSubject,
}


def subject_of(spec: LayerSpec, layer: Any = None) -> Subject:
    """The layer of `spec`, or `layer` in its place, behind the spec's calling convention."""
    return CONVENTIONS[spec.convention](spec.signature, spec.layer if layer is None else layer)
