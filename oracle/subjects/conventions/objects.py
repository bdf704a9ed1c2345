"""Objects with forward and backward: the conventions `layer`, `attributes` and `torch-like`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from oracle.core.case import Arrays, Case
from oracle.core.observe import SubjectError
from oracle.core.spec import Signature
from oracle.subjects.conventions.building import Build, Built, builds
from oracle.subjects.conventions.classic import Config, LayerSubject, _given
from oracle.subjects.conventions.layouts import described
from oracle.subjects.conventions.names import BACKWARD, FORWARD, OUTPUT, TRAINING, aliases, arguments, bind, callables, fold, gradient_names
from oracle.subjects.conventions.paths import Path, find, gradient_path, input_gradient_path
from oracle.subjects.conventions.trial import Connection, Way


class Calls(NamedTuple):
    """Which methods are called, with what, and where results are.

    passed: what backward is handed, by name. attributes: results are read from attributes, not returned. extra: how many training
    flags forward wants after its inputs.
    """

    forward: str
    backward: str
    passed: tuple[str, ...]
    attributes: bool
    extra: int = 0


class Used:
    """A layer under judgement and what its last forward was about."""

    def __init__(self, built: Built) -> None:
        self.layer = built.layer
        self.known: dict[str, Any] = {}


class ObjectSubject:
    """An object made by `build`; gradients of inputs returned or in attributes, those of parameters wherever they are found."""

    def __init__(self, signature: Signature, build: Build, calls: Calls) -> None:
        self._signature = signature
        self._build = build
        self._calls = calls
        self._inputs = tuple(name for name in signature.wrt if name not in signature.params)
        self._paths: dict[str, Path] = {}

    @property
    def places(self) -> list[str]:
        """Where gradients were found so far."""
        return [str(path) for path in self._paths.values()]

    def start(self, params: Arrays, config: Config) -> Used:
        return Used(self._build(params))

    def forward(self, state: Used, inputs: Arrays) -> tuple[Any, ...]:
        handed = {name: _given(a) for name, a in inputs.items()}
        returned = getattr(state.layer, self._calls.forward)(*handed.values(), *[True] * self._calls.extra)
        out, cache = returned, None
        if self._calls.attributes:
            out = self._output(state.layer, returned)
        elif isinstance(returned, tuple) and len(returned) == 2:
            out, cache = returned
        state.known = {**handed, "cache": cache, "out": out}
        return (out,)

    def _output(self, layer: Any, returned: Any) -> Any:
        if returned is not None:
            return returned
        found = find(layer, OUTPUT)
        if not found:
            raise SubjectError("forward returned None and set none of .output, .out, .y")
        return getattr(layer, found[0])

    def backward(self, state: Used, cotangents: Arrays) -> tuple[Any, ...]:
        if not self._calls.backward:
            return ()
        (dout,) = cotangents.values()
        known: dict[str, Any] = {**state.known, "dout": _given(dout)}
        if "prediction" in self._calls.passed:
            known["prediction"] = getattr(state.layer, find(state.layer, OUTPUT)[0])
        if any(key not in known for key in self._calls.passed):
            # not the layer's own refusal, but there is nothing to call it with
            raise RuntimeError("backward before any forward: there is nothing to hand over yet")
        returned = getattr(state.layer, self._calls.backward)(*[known[key] for key in self._calls.passed])
        grads = self._collected(state.layer, returned)
        build = self._build
        return tuple([build.layouts[n].back(g) if n in build.layouts else g for n, g in zip(self._signature.wrt, grads, strict=True)])

    def _collected(self, layer: Any, returned: Any) -> list[Any]:
        """The gradients in the spec's order: those returned, and the rest from where the layer keeps them."""
        wrt = self._signature.wrt
        if isinstance(returned, Mapping):
            returned = by_name(returned, wrt)
        if returned is None or self._calls.attributes:
            grads: list[Any] = []
        else:
            grads = list(returned) if isinstance(returned, (tuple, list)) else [returned]
        if len(grads) == 2 and len(wrt) > 2 and isinstance(grads[1], (tuple, list, Mapping)):
            rest = by_name(grads[1], wrt[1:]) if isinstance(grads[1], Mapping) else grads[1]
            grads = [grads[0], *rest]
        places = [self._place(layer, name) for name in wrt[len(grads) :]]
        if len(grads) > len(wrt) or None in places:
            raise SubjectError(f"backward returned {len(grads)} result(s) for the gradients of {', '.join(wrt)}")
        return grads + [place.get(layer) for place in places if place is not None]

    def _place(self, layer: Any, name: str) -> Path | None:
        if name not in self._paths:
            params = self._signature.params
            if name in params:
                found = gradient_path(layer, name, params.index(name), len(params))
            elif self._calls.attributes:
                found = input_gradient_path(layer, name, name == self._inputs[0])
            else:
                # whoever stores this one follows `attributes`
                return None
            if found is None:
                return None
            self._paths[name] = found
        return self._paths[name]


def by_name(grads: Mapping[str, Any], wrt: tuple[str, ...]) -> tuple[Any, ...]:
    """Gradients from a dict whose keys are names of arrays or of their gradients. Raises SubjectError where one is missing."""
    folded = {fold(key): g for key, g in grads.items()}
    found = []
    for name in wrt:
        keys = [key for key in (*gradient_names(name), *aliases(name)) if key in folded]
        if not keys:
            raise SubjectError(f"backward returned a dict without the gradient of {name}; it has {', '.join(grads)}")
        found.append(folded[keys[0]])
    return tuple(found)


def object_ways(convention: str, signature: Signature, thing: Any, samples: list[Case]) -> Iterator[Way]:
    """The ways to use `thing` as an object with forward and backward by `convention`."""
    inputs, params = tuple(samples[0].inputs), samples[0].params
    forwards = _forwards(convention, thing)
    backwards = callables(thing, BACKWARD) if signature.wrt else []
    if forwards and not callables(thing, FORWARD) and not backwards and signature.wrt:
        # any object can be called; without a backward there is nothing that makes it a layer
        return
    if convention == "layer" and isinstance(thing, type) and "forward" in forwards and ("backward" in backwards or not signature.wrt):
        name = thing.__name__
        classic = LayerSubject(signature, thing)
        yield Way(Connection(classic, "layer", "parameters in the constructor" if params else "", ""), f"{name}({', '.join(params)})")
    missing = f"no backward of it was found (looked for {', '.join(BACKWARD[:5])} ...)" if signature.wrt and not backwards else ""
    for build in builds(thing, params):
        if convention == "torch-like" and any(layout.text == "(in, out)" for layout in build.layouts.values()):
            continue
        for forward in forwards:
            extra = _flags(thing, forward, len(inputs))
            for backward in backwards[:2] or [""]:
                for passed in _passed(thing, backward, inputs) if backward else [()]:
                    yield _way(convention, signature, build, Calls(forward, backward, passed, convention == "attributes", extra), missing)


def _forwards(convention: str, thing: Any) -> list[str]:
    owner = thing if isinstance(thing, type) else type(thing)
    called = ["__call__"] if any("__call__" in vars(c) for c in owner.__mro__) else []
    if convention == "torch-like":
        return called
    named = callables(thing, FORWARD)
    return named if convention == "attributes" else named + called


def _way(convention: str, signature: Signature, build: Build, calls: Calls, missing: str) -> Way:
    call = f"{build.text}.{calls.forward}" if calls.forward != "__call__" else f"{build.text}(...)"
    details = described(build.layouts)
    if "prediction" in calls.passed:
        details.append("backward is given the layer's output and the labels; dout is not handed over")
    elif calls.backward and "dout" not in calls.passed:
        details.append("backward takes no dout")
    if build.paths:
        details.append(f"parameters assigned to {', '.join(str(p[0]) for p in build.paths.values())}")
    # called, with the weights that only torch keeps like this
    likeness = 1 if convention == "torch-like" and any(layout.text == "(out, in)" for layout in build.layouts.values()) else 0
    subject = ObjectSubject(signature, build, calls)
    return Way(Connection(subject, convention, "; ".join(details), missing), call, likeness)


def _flags(thing: Any, forward: str, inputs: int) -> int:
    """How many training flags forward cannot do without."""
    required = _required(thing, forward)[0]
    return sum(fold(name) in TRAINING for name in required[inputs:])


def _required(thing: Any, method: str) -> tuple[list[str], list[str]]:
    """The arguments of a method, without self: required ones, all."""
    owner = thing if isinstance(thing, type) else type(thing)
    held = next((vars(c)[method] for c in owner.__mro__ if method in vars(c)), None)
    found = arguments(getattr(thing, method))
    if found is None:
        return ["dout"], ["dout"]
    bound = not isinstance(thing, type) or isinstance(held, (staticmethod, classmethod))
    return found if bound else (found[0][1:], found[1][1:])


def _passed(thing: Any, backward: str, inputs: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What backward may be handed, by its arguments."""
    required, every = _required(thing, backward)
    if len(required) < 2:
        return [("dout",)] if every else [()]
    if len(required) == 2 and len(inputs) == 2 and fold(required[1]) in aliases(inputs[1]) and inputs[1] == "t":
        return [("prediction", inputs[1]), ("dout", inputs[1])]
    try:
        return [tuple(bind(required, ["dout", *inputs, "cache", "out"]))]
    except ValueError:
        return [("dout",)]
