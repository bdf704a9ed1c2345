"""Planted faults and right layers by name. A module in `planted/` or `right/` adds its own by decorating them; there is no list."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True)
class Planted:
    """A deliberately wrong layer.

    on: the rows (quantities or contracts) that must be convicted, each of them. also: contracts that the fault breaks on the way;
    no other contract may be blamed. Quantities are not listed there: a wrong forward is seen in the gradients.
    """

    name: str
    layer: Callable[..., Any]
    spec: str
    on: tuple[str, ...]
    also: tuple[str, ...]
    fault: str
    family: str


@dataclass(frozen=True)
class Right:
    """A correct layer in a style of its own: no row of it may be convicted."""

    name: str
    layer: Callable[..., Any]
    spec: str
    style: str
    family: str


_planted: list[Planted] = []
_right: list[Right] = []


def planted(spec: str, on: str | tuple[str, ...], fault: str, also: tuple[str, ...] = ()) -> Callable[[T], T]:
    """Register the decorated class or function as a wrong layer of `spec`."""
    rows = (on,) if isinstance(on, str) else on

    def register(layer: T) -> T:
        _planted.append(Planted(layer.__name__, layer, spec, rows, also, fault, _family(layer)))
        return layer

    return register


def right(spec: str, style: str) -> Callable[[T], T]:
    """Register the decorated class or function as a correct layer of `spec`."""

    def register(layer: T) -> T:
        _right.append(Right(layer.__name__, layer, spec, style, _family(layer)))
        return layer

    return register


def _family(layer: Callable[..., Any]) -> str:
    return layer.__module__.rpartition(".")[2]


@functools.cache
def planted_faults() -> tuple[Planted, ...]:
    """Every wrong layer, in the order of the modules and of their lines."""
    _load("planted")
    return tuple(_planted)


@functools.cache
def right_layers() -> tuple[Right, ...]:
    """Every right layer, in the order of the modules and of their lines."""
    _load("right")
    return tuple(_right)


def _load(room: str) -> None:
    package = importlib.import_module(f"tests.mutants.{room}")
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"{package.__name__}.{module}")
