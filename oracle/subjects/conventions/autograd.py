"""An own Tensor class: the convention `autograd`. Every backward runs on gradients set back to what a fresh Tensor has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from oracle.core.case import Array, Arrays, Case
from oracle.core.observe import SubjectError
from oracle.core.spec import Signature
from oracle.subjects.conventions.building import Build, Built, builds
from oracle.subjects.conventions.classic import Config
from oracle.subjects.conventions.layouts import described, layouts
from oracle.subjects.conventions.names import FORWARD, arguments, callables, fold, is_function
from oracle.subjects.conventions.paths import data_of
from oracle.subjects.conventions.trial import Connection, Way

_FOREIGN = ("numpy", "torch", "builtins", "jax", "tensorflow")
_SEEDS = ("argument", "attribute", "product")
_SEED_TEXT = {
    "argument": "y.backward(dout)",
    "attribute": "y.grad = dout, then y.backward()",
    "product": "(y * dout).backward()",
}
_METHODS = {"SoftmaxWithLoss": ("softmaxcrossentropy", "crossentropy", "softmaxcrossentropyloss", "crossentropyloss", "softmaxloss")}

Run = Callable[[Any, dict[str, Any]], Any]
"""From the layer (None for a function) and the inputs to the result."""


class Graph:
    """A layer, its parameters as Tensors, and the last graph: inputs, leaves by name, result."""

    def __init__(self, built: Built) -> None:
        self.layer, self.params = built
        self.inputs: Arrays = {}
        self.leaves: dict[str, Any] = {}
        self.y: Any = None
        self.spent = False


class TensorSubject:
    """`run` on Tensors around the arrays; gradients are their `.grad`. A second backward runs on a graph made again."""

    def __init__(self, signature: Signature, tensor: type, build: Build, run: Run, how: Handing) -> None:
        self._wrt = signature.wrt
        self._tensor = tensor
        self._build = build
        self._layouts = build.layouts
        self._run = run
        self._how = how

    def start(self, params: Arrays, config: Config) -> Graph:
        return Graph(self._build(params))

    def forward(self, state: Graph, inputs: Arrays) -> tuple[Any, ...]:
        state.inputs = inputs
        state.leaves = {n: wrapped(self._tensor, a) if n in self._wrt or self._how.all_wrapped else a for n, a in inputs.items()}
        state.y = self._run(state.layer, {**state.leaves, **state.params})
        state.spent = False
        return (_data(state.y),)

    def backward(self, state: Graph, cotangents: Arrays) -> tuple[Any, ...]:
        if state.y is None:
            raise RuntimeError("backward before any forward: there is no graph yet")
        if state.spent:
            self.forward(state, state.inputs)
        state.spent = True
        (dout,) = cotangents.values()
        for parameter in state.params.values():
            parameter.grad = _fresh_grad(self._tensor, parameter)
        self._seed(state.y, dout)
        tensors = {**state.leaves, **state.params}
        grads = {name: _data(tensors[name].grad) for name in self._wrt}
        absent = [name for name, g in grads.items() if g is None]
        if absent:
            raise SubjectError(f"after backward there is no .grad of {', '.join(absent)}")
        return tuple([self._layouts[n].back(g) if n in self._layouts else g for n, g in grads.items()])

    def _seed(self, y: Any, dout: Array) -> None:
        if self._how.seed == "argument":
            y.backward(dout)
        elif self._how.seed == "attribute":
            y.grad = dout
            y.backward()
        else:
            # this product is ours: so are its refusal of another shape and its warnings
            if np.shape(_data(y)) != dout.shape:
                raise ValueError(f"dout has shape {dout.shape}, the result {np.shape(_data(y))}")
            with np.errstate(all="ignore"):
                product = y * wrapped(self._tensor, dout)
            product.backward()


class Handing:
    """How dout gets in, and whether labels are Tensors too."""

    def __init__(self, seed: str, all_wrapped: bool) -> None:
        self.seed = seed
        self.all_wrapped = all_wrapped


def wrapped(tensor: type, a: Array) -> Any:
    """A Tensor around `a` that wants a gradient."""
    found = arguments(tensor)
    flag = "requires_grad" if found and "requires_grad" in found[1] else ""
    return tensor(a, **{flag: True}) if flag else tensor(a)


def _data(thing: Any) -> Any:
    name = data_of(thing)
    return getattr(thing, name) if name else thing


def _fresh_grad(tensor: type, like: Any) -> Any:
    """The `.grad` that a Tensor has when it is made: None or zeros."""
    return wrapped(tensor, _data(like)).grad


def tensor_classes(namespace: Mapping[str, Any]) -> list[type]:
    """The classes that hold an array, have `.grad` and can go backward; Tensor and Variable first."""
    found = []
    for thing in dict.fromkeys(t for t in namespace.values() if isinstance(t, type)):
        if (thing.__module__ or "").split(".")[0] in _FOREIGN or not callable(getattr(thing, "backward", None)):
            continue
        try:
            made = wrapped(thing, np.arange(6.0).reshape(2, 3))
        except Exception:  # not made from an array
            continue
        if hasattr(made, "grad") and np.shape(_data(made)) == (2, 3) and data_of(made):
            found.append(thing)
    return sorted(found, key=lambda t: fold(t.__name__) not in ("tensor", "variable", "value"))


def autograd_ways(signature: Signature, name: str, namespace: Mapping[str, Any], samples: list[Case]) -> Iterator[Way]:
    """`autograd`: a function or class that works on Tensors of `namespace`, or the Tensor class itself."""
    thing = namespace[name]
    for tensor in tensor_classes(namespace):
        for build, run, call in _runs(signature, thing, tensor, samples):
            for seed in _seeds(tensor) if signature.wrt else _SEEDS[:1]:
                for all_wrapped in (False, True):
                    subject = TensorSubject(signature, tensor, build, run, Handing(seed, all_wrapped))
                    if seed == "attribute" and not _honoured(subject, samples):
                        continue
                    details = [*described(build.layouts), f"on {tensor.__name__}", *([_SEED_TEXT[seed]] if signature.wrt else [])]
                    yield Way(Connection(subject, "autograd", "; ".join(details), ""), f"{build.text}{call}")


def _seeds(tensor: type) -> list[str]:
    found = arguments(tensor.backward)  # type: ignore[attr-defined]
    takes = found is None or len(found[1]) > 1
    return list(_SEEDS) if takes else list(_SEEDS[1:])


def _honoured(subject: TensorSubject, samples: list[Case]) -> bool:
    """Whether the gradients depend on dout at all: a backward that sets `.grad` to ones itself does not look at it."""
    case = samples[0]
    try:
        with np.errstate(all="ignore"):
            first, second = [_first_gradient(subject, case, factor) for factor in (1.0, 3.0)]
    except Exception:
        return True
    return not np.array_equal(first, second)


def _first_gradient(subject: TensorSubject, case: Case, factor: float) -> Array:
    state = subject.start({n: a.copy() for n, a in case.params.items()}, case.config)
    subject.forward(state, {n: a.copy() for n, a in case.inputs.items()})
    return np.array(subject.backward(state, {n: factor * a for n, a in case.cotangents.items()})[0])


def _runs(signature: Signature, thing: Any, tensor: type, samples: list[Case]) -> Iterator[tuple[Build, Run, str]]:
    params = samples[0].params

    def wrap(a: Array) -> Any:
        return wrapped(tensor, a)

    if thing is tensor:
        for run, text in _operations(signature, tensor):
            for layout in layouts(params)[:1]:
                yield Build(tensor.__name__, lambda spec, held: None, layout, {}, wrap), run, text
    elif isinstance(thing, type):
        methods = [m for m in (*callables(thing, FORWARD), "__call__") if callable(getattr(thing, m, None))]
        own = [m for m in methods if m != "__call__" or any("__call__" in vars(c) for c in thing.__mro__)]
        for build in builds(thing, params, wrap):
            for method in own:
                yield build, _method(method, tuple(samples[0].inputs)), f".{method}"
    elif is_function(thing):
        for layout in layouts(params):
            text = getattr(thing, "__name__", "function")
            yield Build(text, lambda spec, held: None, layout, {}, wrap), lambda layer, arrays: thing(*arrays.values()), ""


def _method(method: str, inputs: tuple[str, ...]) -> Run:
    return lambda layer, arrays: getattr(layer, method)(*[arrays[name] for name in inputs])


def _operations(signature: Signature, tensor: type) -> Iterator[tuple[Run, str]]:
    """The operation of a Tensor that is the spec's: an operator, or the method of its name."""
    operators: dict[str, tuple[Run, str]] = {
        "AddLayer": (lambda layer, a: a["x"] + a["y"], ": x + y"),
        "MulLayer": (lambda layer, a: a["x"] * a["y"], ": x * y"),
        "Affine": (lambda layer, a: a["x"] @ a["W"] + a["b"], ": x @ W + b"),
    }
    if signature.name in operators:
        yield operators[signature.name]
    for method in callables(tensor, (signature.name, *_METHODS.get(signature.name, ()))):
        yield _of_tensor(method), f".{method}"


def _of_tensor(method: str) -> Run:
    def run(layer: Any, arrays: dict[str, Any]) -> Any:
        first, *rest = arrays.values()
        return getattr(first, method)(*rest)

    return run
