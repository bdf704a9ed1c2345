"""The divergences as workflow commands of GitHub's: they show beside the lines of a change, and above the job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from oracle.results import Run, verdict
from reports.findings import Finding, account, elsewhere, findings, headline
from reports.rows import Rows
from reports.words import count, shorten, visible

SHOWN = 10
"""GitHub shows so many of each kind for one step, and drops the rest without a word."""
TITLE, MESSAGE = 200, 1000
"""Characters of each."""


class Place(NamedTuple):
    """Where a layer is defined: a file, as seen from the root of the repository, and a line, 0 where that is not known."""

    file: str
    line: int


def commands(run: Run, places: Mapping[str, Place] | None = None) -> Iterator[str]:
    """The lines to print: an error for each of the first ten divergences, a warning for each known one, then the verdict.

    places: layer -> where it is defined. The verdict is a notice where errors say what is wrong, so that it is not the eleventh of them.
    """
    rows = Rows(run)
    places = places or {}
    found = findings(rows)
    for finding in found[:SHOWN]:
        row = finding.row
        yield _command("error", f"{row.layer} {row.quantity}: {headline(row)}", _told(finding), places.get(row.layer))
    known = {(row.layer, row.quantity): row for row in rows.all if row.state == "known"}
    for row in list(known.values())[:SHOWN]:
        where = f"In {row.branch} {row.dtype}: known, and listed with its reason."
        yield _command("warning", f"{row.layer} {row.quantity}: known divergence", where, places.get(row.layer))
    decided = verdict(run)
    for problem in decided.problems[: SHOWN - len(found[:SHOWN])]:
        yield _command("error", "gradconform: the list of known divergences", problem, None)
    kind = "error" if decided.outcome == "incomplete" else "notice"
    more = f" {count(len(found) - SHOWN, 'more divergence')} in the report." if len(found) > SHOWN else ""
    yield _command(kind, f"gradconform: {decided.outcome}", decided.sentence + more, None)


def _told(finding: Finding) -> str:
    row = finding.row
    parts = [f"In {row.branch} {row.dtype}: {finding.diagnosis or account(row)}", elsewhere(finding)]
    if row.example and row.example.replay:
        parts.append(f"Replay: {row.example.replay}")
    return "\n".join(filter(None, parts))


def _command(kind: str, title: str, message: str, place: Place | None) -> str:
    """One workflow command, on one line whatever it is made of."""
    properties = {"title": shorten(visible(title), TITLE)}
    if place is not None:
        properties = {"file": visible(place.file), **({"line": str(place.line)} if place.line else {}), **properties}
    given = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    return f"::{kind} {given}::{_escaped(shorten(visible(message, lines=True), MESSAGE))}"


def _escaped(text: str, also: str = "") -> str:
    """`text` as the runner reads it back: its own signs written as percent and two digits."""
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + also else c for c in text)
