"""Making the object under judgement: the parameters in the constructor, or sizes there and the parameters assigned afterwards."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from oracle.core.case import Array, Arrays
from oracle.subjects.conventions.layouts import Layouts, given, layouts
from oracle.subjects.conventions.names import arguments, bind, reason
from oracle.subjects.conventions.paths import Path, gradient_path, like_given, parameter_paths, put

Wrap = Callable[[Array], Any]
"""What makes of an array what the layer holds: itself, or a Tensor around it."""


class Built(NamedTuple):
    """An object and what its parameters were set to, by name."""

    layer: Any
    params: dict[str, Any]


class Build(NamedTuple):
    """A way to make an object. make: from the spec's own parameters and the handed ones. paths: what is assigned afterwards."""

    text: str
    make: Callable[[Arrays, dict[str, Any]], Any]
    layouts: Layouts
    paths: dict[str, list[Path]]
    wrap: Wrap

    def __call__(self, params: Arrays) -> Built:
        held: dict[str, Any] = {name: self.wrap(a) for name, a in given(self.layouts, params).items()}
        layer = self.make(params, held)
        for i, (name, paths) in enumerate(self.paths.items()):
            put(layer, paths, held[name])
            if isinstance(held[name], np.ndarray):
                like_given(layer, gradient_path(layer, name, i, len(held)), held[name])
        return Built(layer, held)


def _itself(a: Array) -> Any:
    return a


def builds(thing: Any, params: Arrays, wrap: Wrap = _itself) -> Iterator[Build]:
    """Every way to make a fresh object of the class (or from the object) `thing` with `params`, the likeliest first."""
    name = getattr(thing, "__name__", type(thing).__name__)
    if not inspect.isclass(thing):
        yield from _assigned(f"a copy of the {name}", lambda spec, held: copy.deepcopy(thing), params, wrap)
        return
    if not params:
        yield Build(f"{name}()", lambda spec, held: thing(), {}, {}, wrap)
        return
    keys = _keywords(thing, params)
    for layout in layouts(params):
        if keys is None:
            yield Build(f"{name}({', '.join(params)})", lambda spec, held: thing(*held.values()), layout, {}, wrap)
        else:
            call = ", ".join(f"{key}={spec}" for key, spec in keys.items())
            by_key = _by_keyword(thing, keys)
            yield Build(f"{name}({call})", by_key, layout, {}, wrap)
    for reverse in (False, True):
        call = f"{name}({'out, in' if reverse else 'in, out'})"
        yield from _assigned(call, _by_sizes(thing, reverse), params, wrap)
    yield from _assigned(f"{name}()", lambda spec, held: thing(), params, wrap)


def _keywords(cls: type, params: Arrays) -> dict[str, str] | None:
    """Which parameter each argument of the constructor gets, where their names say so and in another order than ours."""
    found = arguments(cls)
    if found is None:
        return None
    names = [n for n in found[1] if n != "*"]
    every = dict(zip(names, [_named(n, params) for n in names], strict=True))
    keys = {name: spec for name, spec in every.items() if spec is not None}
    in_order = list(keys.values()) == list(params) and list(keys) == names[: len(params)]
    return keys if sorted(keys.values()) == sorted(params) and not in_order else None


def _named(argument: str, params: Arrays) -> str | None:
    # a name of ours is bound to its own; another one is bound to whatever comes first
    return next((p for p in params if bind([argument], ["", p]) == [p]), None)


def _by_keyword(cls: type, keys: dict[str, str]) -> Callable[[Arrays, dict[str, Any]], Any]:
    return lambda spec, held: cls(**{key: held[name] for key, name in keys.items()})


def _by_sizes(cls: type, reverse: bool) -> Callable[[Arrays, dict[str, Any]], Any]:
    def made(spec: Arrays, held: dict[str, Any]) -> Any:
        shape = max((a.shape for a in spec.values()), key=len)
        sizes = shape[::-1] if reverse else shape
        try:
            return cls(*sizes)
        except ZeroDivisionError:
            # a scale like 1 / sqrt(in) of weights that are replaced anyway
            return cls(*[max(n, 1) for n in sizes])

    return made


def _assigned(text: str, make: Callable[[Arrays, dict[str, Any]], Any], params: Arrays, wrap: Wrap) -> Iterator[Build]:
    """`make`, and the parameters put where the object made keeps its own; the layouts in which it made them come first."""
    try:
        probe = make(params, {})
    except Exception as error:
        yield _failing(text, error, params, wrap)
        return
    paths = {name: parameter_paths(probe, name, i, len(params)) for i, name in enumerate(params)}
    if wrap is not _itself:
        paths = {name: [path._replace(inner="") for path in found] for name, found in paths.items()}
    missing = [name for name, found in paths.items() if not found]
    if missing:
        yield _failing(text, AttributeError(f"no attribute was found for {', '.join(missing)}"), params, wrap)
        return

    def as_made(layout: Layouts) -> int:
        handed = given(layout, params)
        return -len([name for name, a in handed.items() if np.shape(_array_at(probe, paths[name][0])) == a.shape])

    for layout in sorted(layouts(params), key=as_made):
        yield Build(f"{text}, then {', '.join(str(found[0]) for found in paths.values())}", make, layout, paths, wrap)


def _array_at(thing: Any, path: Path) -> Any:
    held = path.get(thing)
    return held if isinstance(held, np.ndarray) else getattr(held, "data", held)


def _failing(text: str, error: Exception, params: Arrays, wrap: Wrap) -> Build:
    """A way that fails in the same way again, so that it is listed with the others."""

    def fail(spec: Arrays, held: dict[str, Any]) -> Any:
        raise TypeError(reason(error))

    return Build(text, fail, layouts(params)[0], {}, wrap)
