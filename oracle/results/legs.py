"""Runs of the same layers on several versions of Python, NumPy or torch: what they say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from oracle.results.codec import ResultsError
from oracle.results.labels import Source, labelled, matched, natural, python_label
from oracle.results.merge import merge_shards
from oracle.results.model import Header, Run
from oracle.results.verdict import Verdict, verdict

Outcome = Literal["conforms", "diverges", "incomplete"]
Key = tuple[str, str, str, str]
NAMED = 3
"""Files or values that a sentence names; of more it gives the number."""
FAILS = frozenset({"failed", "error", "known"})
"""Statuses of a row that diverges, listed or not."""


class Leg(NamedTuple):
    """One version's run, put together of its shards. lost: rows that other legs have and this one does not even declare."""

    label: str
    run: Run
    files: tuple[str, ...]
    verdict: Verdict
    lost: tuple[Key, ...] = ()


class Legs(NamedTuple):
    """All legs, and what they say together.

    missing: expected labels that no file has. problems: what keeps the legs from being complete. notices: in what they differ besides
    versions, so that it is no fault of those. varying: rows that fail on some legs and pass on others.
    """

    legs: tuple[Leg, ...]
    outcome: Outcome
    exit_code: int
    sentence: str
    missing: tuple[str, ...]
    problems: tuple[str, ...]
    notices: tuple[str, ...]
    varying: tuple[Key, ...]


def legs_of(sources: Sequence[Source], expected: Sequence[str] = ()) -> Legs:
    """The legs that `sources` are, in the order of `expected` and then by name, whatever the order of the files.

    Shards of one leg are put together first. Raises ResultsError where they do not belong together, or where `expected` is ambiguous.
    """
    doubled: list[str] = []
    legs = _judged({label: _one(label, members, doubled) for label, members in labelled(sources).items()})
    order, missing = matched({leg.label: python_label(leg.run.header.environment) for leg in legs}, expected)
    legs = sorted(legs, key=lambda leg: (order.get(leg.label, len(expected)), natural(leg.label)))
    problems = [f"{label} is missing: none of the files has its results" for label in missing]
    problems += [*doubled, *(told for leg in legs for told in _gaps(leg))]
    varying = _varying(legs)
    diverges = any(leg.verdict.exit_code == 1 for leg in legs)
    outcome: Outcome = "diverges" if diverges else "incomplete" if problems else "conforms"
    exit_code = {"conforms": 0, "diverges": 1, "incomplete": 3}[outcome]
    said = _sentence(legs, varying, problems)
    return Legs(tuple(legs), outcome, exit_code, said, tuple(missing), tuple(problems), notices(legs), varying)


def _one(label: str, members: Sequence[Source], doubled: list[str]) -> tuple[Run, tuple[str, ...]]:
    """The run of one label: the only one, or its shards put together. One too many is noted in `doubled`."""
    names = tuple(s.name for s in members)
    if len(set(names)) < len(names):
        raise ResultsError(f"{max(names, key=names.count)} is given twice. Name every results file once.")
    whole = [s for s in members if s.run.header.settings.shard is None]
    if not whole:
        return merge_shards({s.name: s.run for s in members}), names
    if len(members) > 1:
        shown = f"{', '.join(names[:NAMED])}{f' and {len(names) - NAMED} more' if len(names) > NAMED else ''}"
        doubled.append(f"{label} is there more than once: {shown}. Only {whole[0].name} is shown; name them apart with LABEL=FILE")
    return whole[0].run, (whole[0].name,)


def _judged(found: Mapping[str, tuple[Run, tuple[str, ...]]]) -> list[Leg]:
    rows = {label: declared(run) for label, (run, _) in found.items()}
    everything = dict.fromkeys(key for keys in rows.values() for key in keys)
    return [
        Leg(label, run, files, verdict(run), tuple(key for key in everything if key not in rows[label]))
        for label, (run, files) in found.items()
    ]


def declared(run: Run) -> dict[Key, None]:
    """Every row that a run declares or has, in its order."""
    keys = [(e.layer, e.branch, e.dtype, e.quantity) for e in run.header.expected]
    return dict.fromkeys([*keys, *(r.key for r in run.results)])


def _gaps(leg: Leg) -> list[str]:
    """Why a leg is not complete."""
    told = [f"{leg.label}: {gap[:1].lower()}{gap[1:].rstrip('.')}" for gap in leg.verdict.gaps]
    if leg.lost:
        more = f" and {len(leg.lost) - 1:,} more" if len(leg.lost) > 1 else ""
        told.append(f"{leg.label} has lost {_count(len(leg.lost), 'row')} that other legs have: {' '.join(leg.lost[0])}{more}")
    return told


def _varying(legs: Sequence[Leg]) -> tuple[Key, ...]:
    """The rows that fail on some legs and pass on others."""
    rows = [row for leg in legs for row in leg.run.results]
    passing = {row.key for row in rows if row.n_judged and row.status in ("passed", "stale")}
    return tuple(dict.fromkeys(row.key for row in rows if row.status in FAILS and row.key in passing))


def _sentence(legs: Sequence[Leg], varying: Sequence[Key], problems: Sequence[str]) -> str:
    """What all legs say together."""
    bad, good = ([leg.label for leg in legs if leg.verdict.exit_code == code] for code in (1, 0))
    told = []
    if bad:
        told.append(f"{_names(bad)} {'diverges' if len(bad) == 1 else 'diverge'} from PyTorch.")
        if good:
            told.append(f"{_names(good)} {'conforms' if len(good) == 1 else 'conform'}.")
        if varying:
            told.append(f"{_count(len(varying), 'row')} {'fails' if len(varying) == 1 else 'fail'} on some versions only.")
    elif problems:
        told.append("No verdict.")
    else:
        rows = max(sum(1 for r in leg.run.results if r.n_judged) for leg in legs)
        told.append(f"{_names(good)} {'conforms' if len(good) == 1 else 'conform'} to PyTorch, each in {_count(rows, 'row')}.")
    if problems:
        told.append(f"{problems[0]}.")
    if len(problems) > 1:
        told.append(f"{_count(len(problems) - 1, 'further gap')}.")
    return " ".join(told)


def notices(legs: Sequence[Leg]) -> tuple[str, ...]:
    """In what the legs differ besides versions of Python, NumPy and torch."""
    headers = {leg.label: leg.run.header for leg in legs}
    told = [
        _apart(what, {label: _text(getattr(h.settings, what)) for label, h in headers.items()}) for what in ("seed", "examples", "dtypes")
    ]
    for what in ("gradconform", "commit"):
        found = {label: (getattr(h.environment, what) or "")[:12] for label, h in headers.items()}
        told.append(_apart(what, {label: value for label, value in found.items() if value}))
    for name in dict.fromkeys(info.name for h in headers.values() for info in h.layers):
        told.append(_apart(f"code of {name}", _of_layer(headers, name, "source")))
        told.append(_apart(f"check version of {name}", _of_layer(headers, name, "check_version")))
    return tuple(t for t in told if t)


def _of_layer(headers: Mapping[str, Header], name: str, field: str) -> dict[str, str]:
    """Label -> a field of the layer `name`, where it is known."""
    values = ((label, str(getattr(info, field))) for label, h in headers.items() for info in h.layers if info.name == name)
    return {label: value for label, value in values if value}


def _apart(what: str, values: Mapping[str, str]) -> str:
    """Which legs have which value; empty where they all have the same."""
    groups: dict[str, list[str]] = {}
    for label, value in values.items():
        groups.setdefault(value, []).append(label)
    if len(groups) < 2:
        return ""
    rest = f"; and {len(groups) - NAMED} more" if len(groups) > NAMED else ""
    return f"{what}: {'; '.join(f'{value[:40]} in {_names(labels)}' for value, labels in list(groups.items())[:NAMED])}{rest}"


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
