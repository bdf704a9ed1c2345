"""Functions with a function for their gradient: the conventions `functions` and `derivative`, and `function` without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from oracle.core.case import Arrays, Case
from oracle.core.observe import SubjectError
from oracle.core.spec import Signature
from oracle.subjects.conventions.building import builds
from oracle.subjects.conventions.classic import Config, FunctionSubject, _given
from oracle.subjects.conventions.layouts import Layouts, described, given, layouts
from oracle.subjects.conventions.names import DERIVATIVE, FLAGS, FORWARD, arguments, bind, callables, fold, is_function, partner
from oracle.subjects.conventions.objects import by_name
from oracle.subjects.conventions.trial import Connection, Way

Namespace = Mapping[str, Any]
_NOTHING_YET = "backward before any forward: there is no cache to hand over yet"
_AGREES = 1e-6


class Called:
    """The parameters, and what the last forward left."""

    def __init__(self, params: Arrays) -> None:
        self.params = params
        self.known: dict[str, Any] = {}


class PairSubject:
    """`f(*inputs, *params) -> out, cache` and `f_backward(dout, cache)`; without `gradient`, f returns its gradients beside its value."""

    def __init__(self, signature: Signature, function: Callable[..., Any], gradient: Callable[..., Any] | None, layout: Layouts) -> None:
        self._signature = signature
        self._function = function
        self._gradient = gradient
        self._layouts = layout
        found = arguments(function)
        self._names = [n for n in found[0] if n != "*"] if found else []
        wanted = None if gradient is None else arguments(gradient)
        self._wanted = wanted[0] if wanted else ["dout", "cache"]

    def start(self, params: Arrays, config: Config) -> Called:
        return Called(given(self._layouts, params))

    def forward(self, state: Called, inputs: Arrays) -> tuple[Any, ...]:
        handed = {**{name: _given(a) for name, a in inputs.items()}, **state.params}
        order = bind(self._names, list(handed)) if len(self._names) == len(handed) else list(handed)
        returned = self._function(*[handed[name] for name in order])
        count = len(self._signature.outputs)
        if isinstance(returned, tuple) and len(returned) > count:
            outputs, rest = returned[:count], returned[count:]
        else:
            outputs, rest = returned if isinstance(returned, tuple) else (returned,), ()
        state.known = {**handed, "out": outputs[0], "rest": rest}
        return tuple(outputs)

    def backward(self, state: Called, cotangents: Arrays) -> tuple[Any, ...]:
        if not state.known:
            raise RuntimeError(_NOTHING_YET)
        returned = state.known["rest"] if self._gradient is None else self._called(self._gradient, state, cotangents)
        grads = self._in_order(returned)
        return tuple([self._layouts[n].back(g) if n in self._layouts else g for n, g in zip(self._signature.wrt, grads, strict=True)])

    def _called(self, gradient: Callable[..., Any], state: Called, cotangents: Arrays) -> Any:
        (dout,) = cotangents.values()
        rest: tuple[Any, ...] = state.known["rest"]
        values: dict[str, Any] = {"dout": _given(dout)}
        if len(self._wanted) == 1 + len(rest) and len(rest) > 1:
            return gradient(values["dout"], *rest)
        if rest:
            values["cache"] = rest[0] if len(rest) == 1 else rest
        values.update({name: v for name, v in state.known.items() if name != "rest"})
        return gradient(*[values[key] for key in bind(self._wanted, list(values))])

    def _in_order(self, returned: Any) -> tuple[Any, ...]:
        wrt = self._signature.wrt
        if isinstance(returned, tuple) and len(returned) == 1 and isinstance(returned[0], (tuple, list, Mapping)):
            returned = returned[0]
        if isinstance(returned, Mapping):
            return by_name(returned, wrt)
        grads = tuple(returned) if isinstance(returned, (tuple, list)) else (returned,)
        if len(grads) != len(wrt):
            raise SubjectError(f"{len(grads)} gradient(s) were returned for {', '.join(wrt)}")
        return grads


def function_ways(signature: Signature, name: str, namespace: Namespace, samples: list[Case]) -> Iterator[Way]:
    """`functions`: the pair of `name` and its backward beside it, or `name` alone where it returns its gradient with its value."""
    function = namespace[name]
    if not is_function(function):
        return
    partners = partner(name, ("backward", "bwd", "backprop", "bprop", "grad", "gradient"), namespace)
    usable = [n for n in partners if callable(namespace[n]) and _wants_dout(namespace[n])] if signature.wrt else []
    for other in usable:
        for layout in layouts(samples[0].params):
            details = "; ".join([*described(layout), f"gradients by {other}"])
            subject = PairSubject(signature, function, namespace[other], layout)
            yield Way(Connection(subject, "functions", details, ""), f"{name}, {other}")
    # what is returned beside the value is a cache where there is a function that takes it
    for layout in layouts(samples[0].params) if signature.wrt and not usable else []:
        together = PairSubject(signature, function, None, layout)
        if _answers_beside(together, samples):
            beside = [*described(layout), "gradients returned with the value; dout is not handed over"]
            yield Way(Connection(together, "functions", "; ".join(beside), ""), name)


def _wants_dout(function: Callable[..., Any]) -> bool:
    """Whether it takes more than one argument: dout, and what to multiply it with."""
    found = arguments(function)
    return found is not None and len(found[0]) > 1


def _answers_beside(subject: PairSubject, samples: list[Case]) -> bool:
    """Whether the function returns more than its outputs on any sample, and not only what it was given."""
    for case in samples:
        try:
            with np.errstate(all="ignore"):
                state = subject.start({n: a.copy() for n, a in case.params.items()}, case.config)
                subject.forward(state, {n: a.copy() for n, a in case.inputs.items()})
        except Exception:  # it does not answer this one
            continue
        rest = state.known["rest"]
        inner = rest[0] if len(rest) == 1 and isinstance(rest[0], (tuple, list)) else rest
        if rest and not any(each is handed for each in inner for handed in state.known.values()):
            return True
    return False


class DerivativeSubject:
    """`f(x)` and its derivative, of x or of y = f(x): the gradient is dout times that."""

    def __init__(self, f: Callable[[Any], Any], derivative: Callable[[Any], Any], of_output: bool) -> None:
        self._f = f
        self._derivative = derivative
        self._of_output = of_output

    def start(self, params: Arrays, config: Config) -> Called:
        return Called(params)

    def forward(self, state: Called, inputs: Arrays) -> tuple[Any, ...]:
        (x,) = inputs.values()
        y = self._f(_given(x))
        state.known = {"of": y if self._of_output else _given(x), "shape": np.shape(y)}
        return (y,)

    def backward(self, state: Called, cotangents: Arrays) -> tuple[Any, ...]:
        (dout,) = cotangents.values()
        if not state.known:
            raise RuntimeError(_NOTHING_YET)
        if dout.shape != state.known["shape"]:
            # the product is ours, and so is its refusal
            raise ValueError(f"dout has shape {dout.shape}, the result {state.known['shape']}")
        return (_given(dout) * self._derivative(state.known["of"]),)


def derivative_ways(signature: Signature, name: str, namespace: Namespace, samples: list[Case]) -> Iterator[Way]:
    """`derivative`: f with f_prime beside it, with a flag, or a class with both as methods."""
    if len(signature.wrt) != 1 or signature.params or len(samples[0].inputs) != 1:
        return
    thing = namespace[name]
    for f, derivative, text in _beside(name, thing, namespace) if is_function(thing) else _methods(thing):
        of_output = _takes_output(f, derivative, samples[0])
        for each in (of_output, not of_output):
            details = f"gradient is dout times {text} of the {'output' if each else 'input'}"
            yield Way(Connection(DerivativeSubject(f, derivative, each), "derivative", details, ""), f"{name}, {text}")


def _beside(name: str, f: Any, namespace: Namespace) -> Iterator[tuple[Callable[[Any], Any], Callable[[Any], Any], str]]:
    for other in partner(name, (*DERIVATIVE, "backward"), namespace):
        found = arguments(namespace[other]) if callable(namespace[other]) else None
        if found is not None and len(found[0]) == 1:
            yield f, namespace[other], other
    found = arguments(f) if callable(f) else None
    for flag in [n for n in (found[1] if found else []) if n not in (found[0] if found else []) and fold(n) in FLAGS]:
        yield f, _with(f, flag), f"{flag}=True"


def _with(f: Callable[..., Any], flag: str) -> Callable[[Any], Any]:
    return lambda x: f(x, **{flag: True})


def _methods(thing: Any) -> Iterator[tuple[Callable[[Any], Any], Callable[[Any], Any], str]]:
    """A class is made without arguments once: what it is asked for depends on x alone."""
    try:
        made = next(iter(builds(thing, {}))).make({}, {})
    except Exception:
        return
    forwards = callables(made, (*FORWARD, "fn", "f", "function", "activate", "activation"))
    f = getattr(made, forwards[0]) if forwards else made
    for other in callables(made, (*DERIVATIVE, "df")) if callable(f) else []:
        yield f, getattr(made, other), f".{other}"


def _takes_output(f: Callable[[Any], Any], derivative: Callable[[Any], Any], case: Case) -> bool:
    """Whether the derivative agrees with central differences of f only when it is given f's output: y (1 - y) does."""
    (x,) = case.inputs.values()
    h = 1e-6
    try:
        with np.errstate(all="ignore"):
            slope = (np.asarray(f(x + h)) - np.asarray(f(x - h))) / (2 * h)
            by_input, by_output = np.asarray(derivative(x.copy())), np.asarray(derivative(f(x.copy())))
    except Exception:
        return False

    def agrees(a: Any) -> bool:
        return a.shape == slope.shape and bool(np.all(np.abs(a - slope) <= _AGREES))

    return agrees(by_output) and not agrees(by_input)


class PlainSubject(PairSubject):
    """A function called for its value alone, whatever it returns beside it; it has no gradients, so backward hands out none."""

    def __init__(self, signature: Signature, function: Callable[..., Any], layout: Layouts) -> None:
        super().__init__(signature, function, None, layout)

    def backward(self, state: Called, cotangents: Arrays) -> tuple[Any, ...]:
        return ()


def plain_ways(signature: Signature, name: str, namespace: Namespace, samples: list[Case]) -> Iterator[Way]:
    """`function`: called for its value alone."""
    function = namespace[name]
    if not is_function(function):
        return
    stem = name.removesuffix("_forward")
    looked = f"{stem}_prime, {stem}_derivative, {stem}_grad, {stem}_backward, grad=True"
    missing = f"no derivative of {name} was found (looked for {looked})" if signature.wrt else ""
    if not signature.wrt:
        yield Way(Connection(FunctionSubject(signature, function), "function", "", ""), f"{name}(...)")
    for layout in layouts(samples[0].params):
        plain = PlainSubject(signature, function, layout)
        yield Way(Connection(plain, "function", "; ".join(described(layout)), missing), f"{name}(...)")
