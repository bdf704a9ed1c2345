"""From the targets that a command names to the layers that are judged: loading them, and telling what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from oracle.cli.shared import usage

if TYPE_CHECKING:
    from oracle.search.introduce import Introduced, Request


def spec_name(like: str | None, where: str = "--as") -> str | None:
    """The name of the spec that people call `like`; `where` says who asked."""
    from oracle.specs import all_specs
    from oracle.subjects.loading import LoadError
    from oracle.subjects.matching import spec_called

    try:
        return None if like is None else spec_called(like, tuple(all_specs()))
    except LoadError as error:
        raise usage(f"{where}: {error}") from error


def convention_name(convention: str | None, where: str = "--convention") -> str | None:
    """`convention`, if there is one of that name; `where` says who asked."""
    from oracle.subjects.conventions import CONVENTION_NAMES

    if convention is not None and convention not in CONVENTION_NAMES:
        raise usage(f"{where}: there is no {convention!r}; there are {', '.join(CONVENTION_NAMES)}.")
    return convention


def entered(requests: list[Request], workers: int, dtypes: tuple[str, ...]) -> Introduced:
    """The targets loaded; what was matched and what was not is printed."""
    from oracle.core.claims import ClaimError
    from oracle.progress import counting
    from oracle.search.introduce import introduced

    try:
        with counting("loading", len(requests)) as advance:
            found = introduced(requests, workers, advance)
        for entrant in found.entrants:
            if not set(dtypes) - entrant.judged_by().claims.dtypes:
                raise ClaimError(f"not_claimed leaves none of the dtypes {', '.join(dtypes)} to judge")
    except ClaimError as error:
        raise usage(str(error)) from error
    for entrant in found.entrants:
        told = f" ({entrant.details})" if entrant.details else ""
        click.echo(f"{entrant.label} is judged as {entrant.spec}, called by the convention {entrant.convention}{told}", err=True)
    for name, why in found.unmatched:
        click.echo(f"{name} is not judged: {why}", err=True)
    return found


def nothing_in(targets: Sequence[str], introduced: Introduced) -> str:
    """That none of `targets` is judged, and what could be."""
    names = ", ".join(name for name, _ in introduced.unmatched[:10])
    notes = "".join(f"\n  {note.text}" for note in introduced.notes[:10])
    there = f"There are {names}; say what one of them is with :Name and --as." if names else "No class or function is defined there."
    return f"{' '.join(targets)}: nothing in it is called like a layer we know. {there}{notes}"
