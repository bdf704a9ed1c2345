"""Planted faults by family. A module of this package adds its own by decorating them; where each one is planted stands with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from oracle.core.spec import LayerSpec
from oracle.search.planted.right import Right
from oracle.search.planted.scope import Scope

Where = Callable[[Scope], bool]
T = TypeVar("T", bound=type[Right])


class Fault(NamedTuple):
    """A way to break a layer. on: the rows that must convict it, any of them: quantities or one contract. text: what is wrong."""

    family: str
    name: str
    text: str
    on: tuple[str, ...]
    make: Callable[[LayerSpec], Right]


Maker = Callable[[Scope], Sequence[Fault]]
_makers: list[Maker] = []


def several(maker: Maker) -> Maker:
    """Register a function that plants a number of faults which depends on the spec."""
    _makers.append(maker)
    return maker


def fault(family: str, on: str, where: Where = lambda scope: True) -> Callable[[T], T]:
    """Register the decorated class: its name names the fault, its docstring says it.

    on: "forward" or "backward" for the quantities of that side, or the contract that is broken. where: the specs that can show it;
    whether the rows are claimed need not be asked.
    """

    def register(made: T) -> T:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", made.__name__).lower()
        text = " ".join((made.__doc__ or "").split()).rstrip(".")

        def maker(scope: Scope) -> Sequence[Fault]:
            rows = scope.rows(on)
            return [Fault(family, name, text, rows, made)] if rows and where(scope) else []

        _makers.append(maker)
        return made

    return register


def faults_of(scope: Scope) -> list[Fault]:
    """Everything that is planted where `scope` says, in the order of the families."""
    return [found for maker in _makers for found in maker(scope)]
