"""Sweeping a mutant until it is convicted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from oracle.search.sweep import sweep
from oracle.search.tally import Tally
from oracle.specs import spec_named
from oracle.subjects import subject_of

DTYPES = ("float64", "float32")
SEED = 20240229
CASES = 2000
CHUNK = 200
"""Cases between two looks at whether the mutant has been convicted."""


class Hunt(NamedTuple):
    """What the sweep made of a mutant. first: the first case of every convicted row, in the order of the cases."""

    n_cases: int
    first: dict[str, int]
    margin: float
    n_inconclusive: int
    messages: dict[str, str]


def hunt(spec_name: str, layer: Callable[..., Any], on: tuple[str, ...] = (), seed: int = SEED, cases: int = CASES) -> Hunt:
    """Judge `layer` on up to `cases` cases of the ordinary sweep; stop once every row of `on` is convicted, if there are any."""
    spec = spec_named(spec_name)
    subject = subject_of(spec, layer)
    tally = Tally(spec)
    done = 0
    while done < cases:
        stop = min(done + CHUNK, cases)
        tally.merge(sweep(spec, subject, seed, DTYPES, done, stop))
        done = stop
        if on and set(on) <= {name for _, _, name in tally.failures}:
            break
    return _summary(tally, done)


def _summary(tally: Tally, n_cases: int) -> Hunt:
    first: dict[str, int] = {}
    messages: dict[str, str] = {}
    for (branch, dtype, name), failure in sorted(tally.failures.items(), key=lambda item: item[1].case):
        if name not in first:
            first[name] = failure.case
            messages[name] = f"{branch} {dtype} case {failure.case}: {failure.finding.reason} {failure.finding.message}".strip()
    margins = [row.margin for row in tally.rows.values() if row.margin is not None]
    return Hunt(n_cases, first, max(margins, default=0.0), sum(row.n_inconclusive for row in tally.rows.values()), messages)
