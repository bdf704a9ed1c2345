"""The gate on the page: which divergences are listed as known, why, until when, and what has become of them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from oracle.results import Known, Run, entry_for, entry_name, verdict
from oracle.results.gate import is_expired
from reports.rows import Row, Rows
from reports.words import count


class KnownView(NamedTuple):
    """One entry of the list. link: where it is discussed, empty unless that is a web address; text: the link as it was written."""

    name: str
    reason: str
    link: str
    text: str
    expires: str
    word: str
    tone: str


class GateView(NamedTuple):
    """What the run was held to: the list, what is wrong with it, the floor of cases, and the two lanes."""

    source: str
    floor: int
    entries: list[KnownView]
    problems: tuple[str, ...]
    lanes: str


def gate_view(run: Run, rows: Rows) -> GateView | None:
    """The gate of `run`; None where it had none."""
    gate = run.header.gate
    if gate is None:
        return None
    entries = [known_view(entry, rows) for entry in gate.known]
    return GateView(gate.source, gate.floor, entries, verdict(run).problems, lanes(run))


def known_view(entry: Known, rows: Rows) -> KnownView:
    """`entry` and what has become of it."""
    matched = [row for row in rows.by_layer.get(entry.layer, ()) if _lists(entry, row)]
    states = {row.state for row in matched}
    if not matched:
        word, tone = "matches nothing", "f2"
    elif "stale" in states:
        word, tone = "conforms: remove it", "f2"
    elif is_expired(entry, rows.run.header.started):
        word, tone = "expired", "f2"
    elif states & {"known", "failed", "error"}:
        word, tone = "still diverges", "f1"
    else:
        word, tone = "not judged to the end", "n"
    return KnownView(entry_name(entry), entry.reason, web_address(entry.link), entry.link, entry.expires, word, tone)


def _lists(entry: Known, row: Row) -> bool:
    return (entry.branch, entry.quantity) == (row.branch, row.quantity) and entry.dtype in ("", row.dtype)


def known_as(row: Row, rows: Rows) -> KnownView | None:
    """The entry that lists `row`, if one does."""
    entry = entry_for(rows.run.header.gate, row.key)
    return known_view(entry, rows) if entry else None


def lanes(run: Run) -> str:
    """How the stored corpus fared, and the fresh search beside it."""
    if not run.header.corpus:
        return ""
    bad = sum(bool(r.n_replay_failed) for r in run.results)
    new = len(verdict(run).newly_found)
    shown = f"{count(bad, 'row')} {'fails' if bad == 1 else 'fail'}" if bad else "no row fails"
    replayed = f"{count(len(run.header.corpus), 'stored case')} replayed: {shown} on {'it' if len(run.header.corpus) == 1 else 'them'}"
    found = count(new, "failing row") if new else "nothing"
    return f"{replayed}. The fresh search with seed {run.header.settings.seed} newly found {found}."


def web_address(link: str) -> str:
    """`link` if it is one that a page may offer: http or https, with a host. Anything else is shown as text."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    return link if parts.scheme in ("http", "https") and parts.netloc and link.isascii() and link.isprintable() and " " not in link else ""
