"""Faulty layers of the blind set by name: a module beside this one adds its own by decorating them."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True)
class Blind:
    """One faulty layer, and what was written of it before it was ever diagnosed.

    row: where the fault shows. branch: where it is to be looked for, if the layer cannot do the others. tells: a right diagnosis says
    one of these words. rare: no reasonable catalogue has this fault, so that silence is right.
    """

    name: str
    module: str
    spec: str
    row: str
    fault: str
    tells: tuple[str, ...]
    branch: str
    rare: bool


_faults: list[Blind] = []


def blind(spec: str, row: str, fault: str, *tells: str, branch: str = "", rare: bool = False) -> Callable[[T], T]:
    """Record the decorated class or function as a faulty layer of `spec`."""

    def register(layer: T) -> T:
        _faults.append(Blind(layer.__name__, layer.__module__, spec, row, fault, tells, branch, rare))
        return layer

    return register


@functools.cache
def blind_faults() -> tuple[Blind, ...]:
    """Every faulty layer of the set, in the order of the modules and of their lines."""
    package = importlib.import_module("tests.mutants.blind")
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"{package.__name__}.{module}")
    return tuple(_faults)
