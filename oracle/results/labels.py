"""What the legs of a comparison are called: ``py311``, or ``py311-numpy1.26.4`` where several have that Python."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from oracle.results.codec import ResultsError
from oracle.results.model import Environment, Run

LONGEST = 40
"""Characters of a version in a label."""


class Source(NamedTuple):
    """A results file: its name, the run in it, and the label that it was given by hand, if any."""

    name: str
    run: Run
    label: str = ""


def python_label(environment: Environment) -> str:
    """The short name of a Python: ``py311``, ``pypy310``."""
    found = re.match(r"([A-Za-z]{1,20}) ([0-9]{1,4})\.([0-9]{1,4})", environment.python)
    if not found:
        return environment.python[:LONGEST].strip() or "unknown"
    kind = "py" if found[1] == "CPython" else found[1].lower()
    return f"{kind}{found[2]}{found[3]}"


def natural(label: str) -> list[tuple[str, int]]:
    """What labels are sorted by: numbers in them count as numbers."""
    parts = re.split(r"([0-9]{1,9})", label)
    return [(text, int(number)) for text, number in zip(parts[::2], [*parts[1::2], "-1"], strict=True)]


def labelled(sources: Iterable[Source]) -> dict[str, list[Source]]:
    """Label -> the files that have it: shards of one run, or one too many."""
    by_label: dict[str, dict[tuple[str, str], list[Source]]] = {}
    for source in sorted(sources, key=lambda s: (s.name, s.run.header.run_id)):
        where = source.run.header.environment
        base = source.label or source.run.header.label or python_label(where)
        versions = (where.numpy[:LONGEST], (where.torch or "none")[:LONGEST])
        by_label.setdefault(base, {}).setdefault(versions, []).append(source)
    found: dict[str, list[Source]] = {}
    for base, clusters in sorted(by_label.items()):
        for versions, members in clusters.items():
            found.setdefault(f"{base}{_told_apart(versions, list(clusters))}", []).extend(members)
    return found


def _told_apart(versions: tuple[str, str], every: Sequence[tuple[str, str]]) -> str:
    """The versions of NumPy and torch in a label, as far as it takes them to tell `versions` from the others."""
    numpys, torches = ({v[at] for v in every} for at in (0, 1))
    if len(every) == 1:
        return ""
    if len(numpys) == len(every):
        return f"-numpy{versions[0]}"
    return f"{'' if len(torches) == len(every) else f'-numpy{versions[0]}'}-torch{versions[1]}"


def matched(pythons: Mapping[str, str], expected: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Label -> its place in `expected`, and what of `expected` is not there. `pythons` are the labels with the names of their Pythons.

    The name of a Python is enough where only one leg has it that is not expected by its label. Raises ResultsError where several have.
    """
    order: dict[str, int] = {}
    missing = []
    for at, wanted in enumerate(dict.fromkeys(expected)):
        others = [label for label, python in pythons.items() if python == wanted and label not in expected]
        near = [wanted] if wanted in pythons else others
        if len(near) > 1:
            raise ResultsError(f"--expect {wanted} is not clear: {', '.join(near)} all have this Python. Expect them by these labels.")
        if near:
            order[near[0]] = at
        else:
            missing.append(wanted)
    return order, missing
