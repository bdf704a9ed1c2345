"""The fast seeded sweep: draw, judge, count."""

from __future__ import annotations

from collections.abc import Sequence

from oracle.core import torch_side
from oracle.core.judge import decide
from oracle.core.observe import Judged, observations, watching
from oracle.core.spec import LayerSpec
from oracle.search.numbered import blocks
from oracle.search.tally import Tally

MEASURED = 16
"""Balls are computed, and boundaries counted, for every MEASURED-th case also where all bits are equal; for all of the first ones."""
ALL_MEASURED = 512


def sweep(spec: LayerSpec, subject: Judged, seed: int, dtypes: Sequence[str], start: int, stop: int) -> Tally:
    """Judge the cases start .. stop - 1 and count what came of them."""
    tally = Tally(spec)
    with watching():
        for block in blocks(spec, seed, dtypes, start, stop):
            # one side after the other over a whole block: both libraries run faster from a warm cache
            answers = observations(subject, [case for _, case in block])
            expected = [torch_side.evaluate(spec, case) for _, case in block]
            seen = list(answers)
            for (index, case), answer, observation in zip(block, expected, seen, strict=True):
                measured = index < ALL_MEASURED or index % MEASURED == 0
                tally.add(index, case, decide(spec, subject, case, answer, observation, measured), measured)
    return tally
