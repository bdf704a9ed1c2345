"""Where an object keeps its parameters and gradients: attributes, dicts, lists, and objects with .data and .grad."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, NamedTuple

import numpy as np

from oracle.subjects.conventions.names import aliases, fold, gradient_names

DATA = ("data", "value", "array", "values", "_data")
_PARAMS = ("params", "parameters")
_GRADS = ("grads", "gradients", "grad", "dparams", "paramgrads")
_INPUT_GRADS = ("dinputs", "dinput", "gradinput", "inputgrad", "inputgradient")


class Path(NamedTuple):
    """An attribute, perhaps an item of it, perhaps an attribute of that: `.dW`, `.grads[0]`, `.weight.grad`."""

    attribute: str
    item: Any = None
    inner: str = ""

    def get(self, thing: Any) -> Any:
        found = getattr(thing, self.attribute)
        if self.item is not None:
            found = found[self.item]
        return getattr(found, self.inner) if self.inner else found

    def set(self, thing: Any, value: Any) -> None:
        holder = self._replace(inner="").get(thing) if self.inner else getattr(thing, self.attribute) if self.item is not None else thing
        if self.inner:
            setattr(holder, self.inner, value)
        elif self.item is not None:
            holder[self.item] = value
        else:
            setattr(thing, self.attribute, value)

    def __str__(self) -> str:
        item = "" if self.item is None else f"[{self.item!r}]"
        inner = f".{self.inner}" if self.inner else ""
        return f".{self.attribute}{item}{inner}"


def numeric(value: Any) -> bool:
    """Whether `value` is an array of numbers, or a number."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiub"
    return isinstance(value, (int, float, np.generic)) and not isinstance(value, (str, bytes))


def data_of(thing: Any) -> str:
    """The attribute in which an object that is no array keeps one; empty where it has none."""
    if isinstance(thing, (np.ndarray, np.generic, int, float)):
        return ""
    return next((name for name in DATA if isinstance(getattr(thing, name, None), (np.ndarray, np.generic))), "")


def _values(thing: Any) -> dict[str, Any]:
    """What `thing` holds, by attribute; what cannot be read is not there."""
    names = list(getattr(thing, "__dict__", ())) + [n for n in dir(type(thing)) if not n.startswith("__")]
    found: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        try:
            value = getattr(thing, name)
        except Exception:  # a property that cannot be read yet
            continue
        if not callable(value) or data_of(value):
            found[name] = value
    return found


def find(thing: Any, wanted: tuple[str, ...]) -> list[str]:
    """The attributes whose folded name is in `wanted`, in that order."""
    folded: dict[str, str] = {}
    for name in _values(thing):
        folded.setdefault(fold(name), name)
    return [folded[name] for name in wanted if name in folded]


def _in_containers(thing: Any, containers: tuple[str, ...], keys: tuple[str, ...], index: int, count: int) -> list[Path]:
    found = []
    for attribute in find(thing, containers):
        holder = getattr(thing, attribute)
        if isinstance(holder, Mapping):
            folded = {fold(key): key for key in holder if isinstance(key, str)}
            found += [Path(attribute, folded[key]) for key in keys if key in folded][:1]
        elif isinstance(holder, (list, tuple)) and len(holder) == count:
            found.append(Path(attribute, index))
    return found


def parameter_paths(thing: Any, name: str, index: int, count: int) -> list[Path]:
    """Every place where `thing` keeps the parameter `name`, the index-th of `count`; objects around an array with their `.data`."""
    places = [Path(attribute) for attribute in find(thing, aliases(name))]
    places += _in_containers(thing, _PARAMS, aliases(name), index, count)
    return [path._replace(inner=data_of(path.get(thing))) for path in places]


def gradient_path(thing: Any, name: str, index: int, count: int) -> Path | None:
    """Where `thing` keeps the gradient of its parameter `name`, the index-th of `count`; None where there is none."""
    places = [Path(attribute) for attribute in find(thing, gradient_names(name))]
    places += _in_containers(thing, _GRADS, (*aliases(name), *gradient_names(name)), index, count)
    places += [path._replace(inner="grad") for path in parameter_paths(thing, name, index, count) if path.inner]
    return next((path for path in places if _holds(thing, path)), None)


def input_gradient_path(thing: Any, name: str, first: bool) -> Path | None:
    """Where `thing` keeps the gradient of its input `name`; None where there is none."""
    wanted = (*_INPUT_GRADS, *gradient_names(name)) if first else gradient_names(name)
    return next((Path(n) for n in find(thing, wanted) if _holds(thing, Path(n))), None)


def _holds(thing: Any, path: Path) -> bool:
    try:
        value = path.get(thing)
    except (AttributeError, LookupError):
        return False
    return numeric(value) or bool(data_of(value))


def put(thing: Any, paths: list[Path], value: Any) -> None:
    """Set every one of `paths` that can be set to `value` itself. Raises AttributeError where none can."""
    done = False
    for path in paths:
        try:
            path.set(thing, value)
            done = True
        except (AttributeError, TypeError):
            # a property without a setter, or a tuple
            continue
    if not done:
        raise AttributeError(f"no attribute of {type(thing).__name__} can be set to a parameter")


def like_given(thing: Any, path: Path | None, value: Any) -> None:
    """A buffer for a gradient that was made for the layer's own parameter, made again for the one that replaced it."""
    held = None if path is None else path.get(thing)
    if path is not None and isinstance(held, np.ndarray) and held.dtype != value.dtype and _settable(thing, path):
        path.set(thing, np.zeros_like(value))


def _settable(thing: Any, path: Path) -> bool:
    return path.item is None or isinstance(getattr(thing, path.attribute), (list, MutableMapping))
