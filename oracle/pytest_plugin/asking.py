"""What a mark or a decorator asks for: checked when tests are collected, so that a wrong word is told at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

MARK = "conforms"
OPTIONS = ("inputs", "params", "examples", "seed", "dtypes", "convention", "not_claimed")
"""Keywords of a mark and of `parametrize_with_layers`, besides `like`: those of `oracle.check`."""
CONTRACTS = "contracts"
"""The row that stands for all contracts of a branch."""


class AskedWronglyError(pytest.UsageError, pytest.Collector.CollectError):  # type: ignore[misc]  # final for type checkers alone
    """A mark or decorator that means nothing. Also a CollectError, so that pytest shows the message and no traceback."""


class Asked(NamedTuple):
    """A layer and how it is to be judged. where: the mark or decorator, for messages."""

    layer: Any
    like: str | Callable[..., Any] | None
    options: Mapping[str, Any]
    where: str

    @property
    def name(self) -> str:
        """The name of the class or function; of an object, that of its class."""
        return str(getattr(self.layer, "__name__", type(self.layer).__name__))


def asked(layer: Any, args: tuple[Any, ...], options: Mapping[str, Any], where: str) -> Asked:
    """What `where(*args, **options)` asks of `layer`. Raises AskedWronglyError."""
    options = dict(options)
    if len(args) > 1 or (args and "like" in options):
        raise AskedWronglyError(f"{where} takes one layer or torch function, got {len(args) + ('like' in options)}")
    like = args[0] if args else options.pop("like", None)
    unknown = [name for name in options if name not in OPTIONS]
    if unknown:
        raise AskedWronglyError(f"{where}: there is no {unknown[0]!r}; there are like, {', '.join(OPTIONS)}")
    return Asked(layer, like, options, where)


def rows(what: Asked) -> list[tuple[str, str]]:
    """(branch, quantity) of every item, with CONTRACTS once a branch. Raises AskedWronglyError."""
    from oracle.api import binding, checked
    from oracle.core.claims import claimed

    try:
        spec, _ = binding(what.layer, what.like, what.options.get("inputs"), what.options.get("params", ()))
        checked(**{key: value for key, value in what.options.items() if key not in ("inputs", "params", "not_claimed")})
        words = what.options.get("not_claimed", ())
        claimed(spec, (words,) if isinstance(words, str) else words)
    except (ValueError, TypeError, ImportError) as error:
        raise AskedWronglyError(f"{what.where}: {error}") from error
    return [(branch, row) for branch in spec.branches for row in (*spec.quantities, CONTRACTS)]


def own_marks(obj: object) -> list[pytest.Mark]:
    """The marks put on a class or function itself; those of a base class are not its own."""
    if not (inspect.isclass(obj) or inspect.isroutine(obj)):
        return []
    marks = getattr(obj, "__dict__", {}).get("pytestmark", [])
    found = [getattr(m, "mark", m) for m in (marks if isinstance(marks, list) else [marks])]
    return [m for m in found if isinstance(m, pytest.Mark)]
