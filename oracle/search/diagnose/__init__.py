"""From a failing case to its likely cause in words: experiments on the layer, and only what explains every one of them is said.

Adding a cause touches one place: the module of its family, or, for a new family, `FAMILIES`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oracle.core.case import Case
from oracle.core.judge import judge
from oracle.core.observe import Judged, watching
from oracle.core.spec import LayerSpec
from oracle.search.diagnose import arrangement, condition, factors, functions, handling, later, questions, ratio, smallprint, state
from oracle.search.diagnose.evidence import Bench, Evidence, SpentError, gathered
from oracle.search.diagnose.guess import Diagnosis, Find, Guess, holds, settled

GENERAL = 5
"""The rank from which on families say no more than where a layer fails, or that it raises."""
PLAIN = 3
"""Cases of normal numbers on which a row is tried for another reason."""
MOST = 2
"""Causes that explain the evidence equally and are still worth saying; more of them say nothing."""


class Family(NamedTuple):
    """Causes that are looked for together.

    rank: a family is only asked where none of a lower rank had an answer. after: it was written after the planted faults that it
    explains had been seen, so that its share is counted apart.
    """

    find: Find
    rank: int
    after: bool = False


FAMILIES: tuple[Family, ...] = (
    Family(state.stale, 0),
    Family(state.repeated, 0),
    Family(state.memory_order, 0),
    Family(state.forgets_order, 0),
    Family(ratio.constant_ratio, 0),
    Family(questions.changed_question, 0),
    Family(factors.missing_factor, 0),
    Family(factors.at_zero, 0),
    Family(factors.not_a_number, 0),
    Family(arrangement.misplaced, 0),
    Family(arrangement.instead, 1),
    Family(arrangement.axes, 1),
    Family(functions.other_function, 1),
    Family(smallprint.lower_precision, 1),
    Family(handling.written, 0),
    Family(handling.shared, 0),
    Family(handling.form, 0),
    Family(handling.refused, 0),
    Family(later.special_values, 0, after=True),
    Family(later.labels, 0, after=True),
    Family(later.solved, 1, after=True),
    Family(later.shapes, 1, after=True),
    Family(later.slips, 0, after=True),
    Family(later.transposed, 0, after=True),
    Family(smallprint.inside_logarithm, 2),
    Family(smallprint.clipped, 2),
    Family(arrangement.partly, 2),
    Family(questions.smaller_question, 2),
    Family(smallprint.intermediate_precision, 3),
    Family(condition.of_a_size, 4),
    Family(condition.only_where, 4),
    Family(handling.promoted, 5),
    Family(handling.raised, 5),
    Family(condition.beyond_a_size, 5),
    Family(condition.beyond_a_value, 6),
    Family(later.approximated, 7, after=True),
)
"""Every family, in order of rank: what is sure and specific first."""


def diagnose(
    spec: LayerSpec,
    subject: Judged,
    row: tuple[str, str],
    branch: str,
    dtype: str,
    case: Case,
    seed: int = 0,
    families: tuple[Family, ...] = FAMILIES,
) -> Diagnosis | None:
    """The cause of the finding `row` = (quantity or contract, reason), of which `case` is a failing case; None where none fits.

    `subject` is only observed, so it may run in another process. At most `evidence.BUDGET` observations and what they lead to.
    """
    bench = Bench(spec, subject, row, branch, dtype, seed)
    specific, general = [tuple(f for f in families if (f.rank < GENERAL) == early) for early in (True, False)]
    with watching(), np.errstate(all="ignore"):
        evidence = _gathered(bench, case)
        said = None if evidence is None else _asked(evidence, specific)
        if said is None and evidence is not None and not evidence.calm:
            plain = _plainer(bench, seed)
            said = None if plain is None else _asked(plain, specific)
        if said is None and evidence is not None:
            said = _asked(evidence, general)
    return said


def _asked(evidence: Evidence, families: tuple[Family, ...]) -> Diagnosis | None:
    """What the families of the first rank that has an answer say."""
    for rank in sorted({f.rank for f in families}):
        found = _found(evidence, [f for f in families if f.rank == rank])
        if found:
            return _said(evidence, found)
    return None


def _gathered(bench: Bench, case: Case) -> Evidence | None:
    try:
        return gathered(bench, case)
    except SpentError:
        return None


def _plainer(bench: Bench, seed: int) -> Evidence | None:
    """The same row on normal numbers, where it fails there for another reason: a NaN or an exception hides what is wrong besides."""
    row, reason = bench.row
    for _ in range(PLAIN):
        case = bench.calm()
        found = next((f for f in judge(bench.spec, bench.subject, case).findings if f.name == row and f.reason != reason), None)
        if found is not None:
            return _gathered(Bench(bench.spec, bench.subject, found.key, bench.branch, case.dtype, seed), case)
    return None


def _found(evidence: Evidence, families: list[Family]) -> list[Diagnosis]:
    """What holds of the guesses of these families, each cause once."""
    shown: list[Diagnosis] = []
    guesses: list[Guess] = []
    for family in families:
        try:
            for guess in family.find(evidence):
                if isinstance(guess, Diagnosis):
                    shown.append(guess)
                elif holds(evidence, guess):
                    guesses.append(guess)
        except SpentError:
            # what has been shown stands; what could not be tried is not said
            continue
    found = shown + [g.diagnosis for g in (settled(evidence, guesses) if len(guesses) > 1 else guesses)]
    return list({d.cause: d for d in reversed(found)}.values())[::-1]


def _said(evidence: Evidence, found: list[Diagnosis]) -> Diagnosis | None:
    """One cause, or two; with the way of handing over that it takes, where the row is about that."""
    if len(found) > MOST:
        return None
    sentence = found[0].sentence
    if len(found) == MOST:
        second = found[1].sentence
        sentence = f"{sentence.rstrip('.')}; or {second}"
    name, (row, _) = evidence.quantity, evidence.bench.row
    if name is not None and row in _HOW and sentence.startswith((f"{name} is ", f"{name} holds ")) and "used layer" not in sentence:
        sentence = f"{_HOW[row]}, {sentence}"
    return Diagnosis(" or ".join(d.cause for d in found), sentence)


_HOW = {
    "backward.repeatable": "On the second backward",
    "state.fresh": "On a layer used before",
    "inputs.layout": "With memory that is not in C order",
}


__all__ = ["FAMILIES", "Diagnosis", "Family", "Guess", "diagnose"]
