"""What a gate makes of a run: which divergences are known, and what is wrong with the list of them.

Pure, and applied wherever a run is put together, so that every reader sees the same rows. A file holds what was found; which of it is
listed is worked out on reading.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from oracle.results.model import Gate, Header, Known, Result, Run

Key = tuple[str, str, str, str]
FAILS = ("failed", "error", "known")
"""States of a row that diverges, listed or not."""
SHOWN = 12
"""Names of what there is that are told where one is wrong."""
LONGEST = 160
"""Characters of a reason that are repeated in a sentence."""


def entry_for(gate: Gate | None, key: Key) -> Known | None:
    """The first entry that lists the row `key` (layer, branch, dtype, quantity); None where no entry does."""
    return next((entry for entry in gate.known if _lists(entry, key)), None) if gate else None


def is_expired(entry: Known, started: str) -> bool:
    """Whether `entry` was accepted no more on the day of `started`; its last day still counts. A start that is no date proves nothing."""
    return bool(entry.expires) and not started[:10] <= entry.expires


def gated(results: Sequence[Result], header: Header, complete: bool) -> tuple[Result, ...]:
    """`results` with the listed failures marked as known, and as stale the rows of an entry of which none fails any more.

    An expired entry excuses nothing. That a divergence is gone is only said where the run is `complete` and no shard: of what has not
    been tried to the end, it may yet be found.
    """
    if header.gate is None:
        return tuple(results)
    whole = complete and header.settings.shard is None
    stale = {key for entry in header.gate.known if whole for key in _settled(entry, results, header)}
    excusing = header.gate.model_copy(update={"known": tuple(e for e in header.gate.known if not is_expired(e, header.started))})
    return tuple(_marked(row, excusing, stale) for row in results)


def _marked(row: Result, gate: Gate, stale: set[Key]) -> Result:
    if row.key in stale:
        return row.model_copy(update={"status": "stale"})
    listed = row.status in ("failed", "error") and entry_for(gate, row.key) is not None
    return row.model_copy(update={"status": "known"}) if listed else row


def _settled(entry: Known, results: Sequence[Result], header: Header) -> list[Key]:
    """The rows of an entry where all of them were judged and none fails; else nothing."""
    rows = {r.key: r for r in results if _lists(entry, r.key) and r.status != "not-claimed"}
    declared = {key for key in _declared(header) if _lists(entry, key)}
    judged = all(r.n_judged for r in rows.values()) and declared <= rows.keys()
    return list(rows) if judged and not any(r.status in FAILS for r in rows.values()) else []


def problems(run: Run) -> tuple[str, ...]:
    """What is wrong with the list of known divergences, a sentence for each entry that matches nothing, is stale or has expired."""
    gate = run.header.gate
    return tuple(told for entry in gate.known if (told := _problem(entry, run))) if gate else ()


def _problem(entry: Known, run: Run) -> str:
    rows = [r for r in run.results if _lists(entry, r.key)]
    claimed = [r for r in rows if r.status != "not-claimed"]
    name, source = entry_name(entry), run.header.gate.source if run.header.gate else ""
    remove = f"remove the entry{f' from {source}' if source else ''}"
    if not claimed and not any(_lists(entry, key) for key in _declared(run.header)):
        if rows:
            return f"{name} is listed as known, but it is not claimed and so not judged: {remove}."
        return "" if _not_loaded(entry, run) else f"{name} is listed as known, but there is no such row: {_there_is(entry, run)}."
    if any(r.status == "stale" for r in claimed):
        return f"{name} is listed as known ({_short(entry.reason)}), but it conforms: {remove}."
    if is_expired(entry, run.header.started):
        return f"{name} was accepted as known until {entry.expires} ({_short(entry.reason)}): mend it, or set another date."
    return ""


def _not_loaded(entry: Known, run: Run) -> bool:
    """Whether the layer of `entry`, or the file that it is in, could not be loaded: that is told already, and by a row that fails."""
    broken = {r.layer for r in run.results if r.status == "error" and r.branch == "-"}
    return any(entry.layer == layer or entry.layer.startswith(f"{layer}:") for layer in broken)


def entry_name(entry: Known) -> str:
    """The rows of an entry in words: layer, branch, quantity, and dtype where it names one."""
    return " ".join(filter(None, (entry.layer, entry.branch, entry.dtype, entry.quantity)))


def _there_is(entry: Known, run: Run) -> str:
    """Which word of an entry is wrong, and what there is instead."""
    keys = list(dict.fromkeys([*_declared(run.header), *(r.key for r in run.results)]))
    owner = "this run"
    for noun, word, at in _parts(entry):
        names = list(dict.fromkeys(key[at] for key in keys))
        if word not in names:
            near = difflib.get_close_matches(word, names, n=1)
            listed = f"it has {', '.join(names[:SHOWN])}{' ...' if len(names) > SHOWN else ''}" if names else "it has none"
            return f"{owner} has no {noun} {word} ({f'did you mean {near[0]}?' if near else listed})"
        keys = [key for key in keys if key[at] == word]
        owner = f"{owner} {word}" if at else word
    return "no row has all of these"


def _parts(entry: Known) -> Iterator[tuple[str, str, int]]:
    """What an entry names, in the order in which it is looked for: what it is, the word, its place in a row's key."""
    yield "layer", entry.layer, 0
    yield "branch", entry.branch, 1
    if entry.dtype:
        yield "dtype", entry.dtype, 2
    yield "quantity or contract", entry.quantity, 3


def _short(reason: str) -> str:
    return reason if len(reason) <= LONGEST else reason[: LONGEST - 3] + "..."


def _lists(entry: Known, key: Key) -> bool:
    return (entry.layer, entry.branch, entry.quantity) == (key[0], key[1], key[3]) and entry.dtype in ("", key[2])


def _declared(header: Header) -> Iterator[Key]:
    for e in header.expected:
        yield (e.layer, e.branch, e.dtype, e.quantity)
