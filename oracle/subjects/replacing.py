"""Putting an array in the place of another one wherever an object keeps it: the layers of a net hold the very arrays of its `params`."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from oracle.core.case import Array

_MOST = 10_000
"""Objects that are looked through."""
_PLAIN = (str, bytes, int, float, complex, np.ndarray, np.generic, type(None), type, types.ModuleType, types.FunctionType)


def replace_array(thing: Any, old: Array, new: Array) -> str | None:
    """Let attributes, dict entries and list items beneath `thing` that are `old` be `new`.

    Returns where `old` or a view of it is kept and cannot be replaced; None where everything is done.
    """
    for where, holder, key, value in list(_kept(thing)):
        if value is old and not isinstance(holder, tuple):
            _put(holder, key, new)
        elif isinstance(value, np.ndarray) and np.may_share_memory(value, old):
            return where
    return None


def _put(holder: Any, key: Any, new: Array) -> None:
    if isinstance(holder, dict | list):
        holder[key] = new
    else:
        setattr(holder, key, new)


def _kept(thing: Any) -> Iterator[tuple[str, Any, Any, Any]]:
    """(where, holder, key, value) of everything that `thing` keeps, and what that keeps, in turn."""
    seen: dict[int, Any] = {}
    waiting: list[tuple[str, Any]] = [(type(thing).__name__, thing)]
    while waiting and len(seen) < _MOST:
        where, holder = waiting.pop(0)
        if id(holder) in seen or isinstance(holder, _PLAIN):
            continue
        seen[id(holder)] = holder
        for label, key, value in _items(holder):
            yield where + label, holder, key, value
            waiting.append((where + label, value))


def _items(holder: Any) -> list[tuple[str, Any, Any]]:
    if isinstance(holder, dict):
        return [(f"[{key!r}]" if type(key) is str else "[...]", key, value) for key, value in holder.items()]
    if isinstance(holder, list | tuple):
        return [(f"[{i}]", i, value) for i, value in enumerate(holder)]
    slots = [name for base in type(holder).__mro__ for name in _slots(base) if hasattr(holder, name)]
    kept = {**getattr(holder, "__dict__", {}), **{name: getattr(holder, name) for name in slots}}
    return [(f".{name}", name, value) for name, value in kept.items()]


def _slots(base: type) -> tuple[str, ...]:
    slots = base.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)
