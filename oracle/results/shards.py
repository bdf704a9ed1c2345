"""Which files are the shards of one run, and what is wrong with the set of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from oracle.results.codec import ResultsError
from oracle.results.model import Header, LayerInfo, Run

Shard = tuple[str, Run]
"""The name of a file, and the run in it."""
NAMED = 10
"""Shards or files that are named; of more the number is given."""
LONGEST = 80
"""Characters of a value that is named in a sentence."""
UNLOADED = "subject.loads"
"""The row of a subject that could not be judged at all: every shard says so, and it counts once."""


def in_order(shards: Mapping[str, Run]) -> tuple[list[Shard], list[str]]:
    """The shards by their number, each once, and what is wrong with the set of them: missing, doubled and truncated ones.

    Raises ResultsError, naming the files, where they are not shards, or not of one run.
    """
    if whole := [name for name, run in shards.items() if run.header.settings.shard is None]:
        raise ResultsError(f"{files(whole)} is no shard but a whole run: it cannot be merged with the shards of another.")
    taken: dict[int, Shard] = {}
    problems = []
    for name, run in sorted(shards.items()):
        k, n = run.header.settings.shard or (1, 1)
        if not 1 <= k <= n:
            raise ResultsError(f"{name} says that it is shard {k} of {n}, which cannot be: the file is damaged.")
        if k in taken:
            problems.append(f"shard {k} of {n} is there twice, in {taken[k][0]} and in {name}: only the first was counted")
            continue
        taken[k] = (name, run)
        if why := truncated(run):
            problems.append(f"shard {k} of {n}, {name}, is truncated: {why}")
    ordered = [taken[k] for k in sorted(taken)]
    first = ordered[0][1].header
    for run in shards.values():
        if told := differences(first, run.header):
            raise ResultsError(f"{files(shards)} are not shards of one run: {'; '.join(told)}. Merge shards of one run.")
    return ordered, [*_missing(taken, first), *problems]


def _missing(taken: Mapping[int, Shard], header: Header) -> list[str]:
    n = header.settings.shard[1] if header.settings.shard else 1
    absent = n - len(taken)
    if not absent:
        return []
    named = itertools.islice((k for k in itertools.count(1) if k not in taken), min(absent, NAMED))
    more = f" and {absent - NAMED:,} more" if absent > NAMED else ""
    verb = "shard {} is missing" if absent == 1 else "shards {} are missing"
    return [verb.format(f"{', '.join(map(str, named))}{more} of {n:,}")]


def truncated(run: Run) -> str:
    """Why a results file is not whole; empty where it is."""
    if run.footer is None:
        return "it has no end"
    if run.footer.outcome != "complete":
        happened = "was interrupted" if run.footer.outcome == "interrupted" else "broke off"
        return f"it {happened}{': ' + run.footer.message if run.footer.message else ''}"
    return f"{run.n_damaged} of its lines could not be read" if run.n_damaged else ""


def differences(a: Header, b: Header) -> list[str]:
    """In which respects two headers cannot be those of shards of one run, in words."""
    told = [_apart(name, getattr(a.settings, name), getattr(b.settings, name)) for name in ("seed", "examples", "dtypes", "layers")]
    told.append(_apart("number of shards", *((h.settings.shard or (1, 1))[1] for h in (a, b))))
    told += [
        _apart(name, getattr(a.environment, name), getattr(b.environment, name)) for name in ("gradconform", "python", "numpy", "torch")
    ]
    if a.environment.commit and b.environment.commit:
        told.append(_apart("commit", a.environment.commit, b.environment.commit))
    told += [_other_layer(x, y) for x, y in zip(a.layers, b.layers, strict=False) if x.name == y.name]
    for what, noun in (("contracts", "contracts"), ("expected", "rows"), ("gate", "lists of known divergences")):
        told.append(f"they declare other {noun}" if getattr(a, what) != getattr(b, what) else "")
    return [t for t in told if t]


def _other_layer(a: LayerInfo, b: LayerInfo) -> str:
    """How the layers at one place of two headers differ. Where they lie may differ between two machines."""
    if a.check_version != b.check_version:
        return _apart(f"check version of {_short(a.name)}", a.check_version, b.check_version)
    if a.source != b.source:
        return f"the code of {_short(a.name)} differs"
    places = {"target": "", "search_path": ()}
    return "" if a.model_copy(update=places) == b.model_copy(update=places) else f"{_short(a.name)} is declared otherwise"


def _apart(noun: str, a: object, b: object) -> str:
    return "" if a == b else f"{noun} {_short(a)} and {_short(b)}"


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def files(names: Iterable[str]) -> str:
    """Names of files in a sentence."""
    given = sorted(names)
    if len(given) > NAMED:
        return f"{', '.join(given[:NAMED])} and {len(given) - NAMED} more"
    return given[0] if len(given) == 1 else f"{', '.join(given[:-1])} and {given[-1]}"
