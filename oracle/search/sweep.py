"""The fast seeded sweep: draw, judge, count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oracle.core.case import Case
from oracle.core.expected import evaluate as expected_of
from oracle.core.judge import decide
from oracle.core.observe import Judged, Observation, SubjectGone, observations, watching
from oracle.core.spec import LayerSpec
from oracle.search.numbered import blocks
from oracle.search.samples import is_sample, sample
from oracle.search.tally import Tally

MEASURED = 16
"""Balls are computed, and boundaries counted, for every MEASURED-th case also where all bits are equal; for all of the first ones."""
ALL_MEASURED = 512


def sweep(spec: LayerSpec, subject: Judged, seed: int, dtypes: Sequence[str], start: int, stop: int, layer: str = "") -> Tally:
    """Judge the cases start .. stop - 1 and count what came of them, under the name `layer`.

    A subject that is given up ends the sweep: what was judged by then counts, and `Tally.given_up` says why.
    """
    tally = Tally(spec, layer)
    with watching():
        for drawn in blocks(spec, seed, dtypes, start, stop):
            block = _claimed(spec, tally, drawn)
            # one side after the other over a whole block: both libraries run faster from a warm cache
            answers = observations(subject, [case for _, case in block])
            expected = [expected_of(spec, case) for _, case in block]
            seen = _until_gone(answers, tally)
            try:
                for (index, case), answer, observation in zip(block, expected, seen, strict=False):
                    measured = index < ALL_MEASURED or index % MEASURED == 0
                    tally.add(index, case, decide(spec, subject, case, answer, observation, measured), measured)
                    if is_sample(index, case) and tally.wants_sample(case):
                        tally.keep(sample(spec, tally.layer, index, case, observation.evaluation, answer))
            except SubjectGone as gone:
                tally.given_up = str(gone)
            if tally.given_up:
                break
    return tally


def _claimed(spec: LayerSpec, tally: Tally, drawn: list[tuple[int, Case]]) -> list[tuple[int, Case]]:
    """The cases that the subject's claims cover; the others are counted as left out."""
    if not spec.claims.values:
        return drawn
    kept = []
    for index, case in drawn:
        why = spec.claims.leave_out(case)
        if why is None:
            kept.append((index, case))
        else:
            tally.leave_out(case, why)
    return kept


def _until_gone(answers: Iterator[Observation], tally: Tally) -> list[Observation]:
    seen = []
    try:
        for observation in answers:
            seen.append(observation)
    except SubjectGone as gone:
        tally.given_up = str(gone)
    return seen
