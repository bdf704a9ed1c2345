"""What a target holds once it is loaded, and which of its names are its own definitions."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple


class LoadError(Exception):
    """A target that cannot be loaded: what happened, and where."""


class Loaded(NamedTuple):
    """What a target holds.

    defined: the names of the classes and functions that it defines itself, in order. missing: a definition that could not be loaded,
    and the reason. notes: what was left out, a line each.
    """

    namespace: Mapping[str, Any]
    defined: tuple[str, ...]
    missing: Mapping[str, str]
    notes: tuple[str, ...]


def is_definition(value: Any) -> bool:
    """Whether `value` is a class or a function, a wrapped one (`lru_cache`, `jit`) included."""
    try:
        return inspect.isclass(value) or inspect.isroutine(value) or (callable(value) and "__wrapped__" in vars(value))
    except Exception:  # an object may answer any question with an exception
        return False


def module_of(value: Any) -> str:
    """The `__module__` of a value; empty where it has none."""
    try:
        name = value.__module__
    except Exception:
        return ""
    return name if isinstance(name, str) else ""


def defined_names(namespace: Mapping[str, Any], module: str) -> tuple[str, ...]:
    """The public classes and functions that `module` defines, in order; a package's are also those of its modules and of `__all__`.

    A definition with two names counts once, under its first.
    """
    listed = namespace.get("__all__", ())
    exported = {n for n in listed if isinstance(n, str)} if isinstance(listed, list | tuple) else set()
    names: dict[int, str] = {}
    for name, value in list(namespace.items()):
        own = _is_own(value, module) and not name.startswith("_")
        if (own or name in exported) and is_definition(value):
            names.setdefault(id(value), name)
    return tuple(names.values())


def _is_own(value: Any, module: str) -> bool:
    home = module_of(value)
    return home == module or home.startswith(f"{module}.")
