"""Cases by number: a case is a function of (spec, seed, dtypes, index) alone, whoever draws it and in whatever order. Needs no torch."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from oracle.core.case import Case
from oracle.core.draw import STRATA, GeneratorSource, draw_case
from oracle.core.spec import LayerSpec

BLOCK = 32
"""Cases that share one random stream: making a generator costs as much as drawing a small case."""


def place(spec: LayerSpec, dtypes: Sequence[str], index: int) -> tuple[str, str, int]:
    """(branch, dtype, stratum) of a case: branches and dtypes take turns, so that every one gets its share also of a short run."""
    turn, branch = divmod(index, len(spec.branches))
    stratum, dtype = divmod(turn, len(dtypes))
    return spec.branches[branch], dtypes[dtype], stratum % STRATA


def blocks(spec: LayerSpec, seed: int, dtypes: Sequence[str], start: int, stop: int) -> Iterator[list[tuple[int, Case]]]:
    """The cases start .. stop - 1 with their numbers, in blocks of one random stream each."""
    salt = zlib.crc32(spec.name.encode())
    for block in range(start // BLOCK, -(-stop // BLOCK)):
        source = GeneratorSource(np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, salt, block]))))
        indices = range(block * BLOCK, min((block + 1) * BLOCK, stop))
        with np.errstate(all="ignore"):
            drawn = [(index, draw_case(spec, source, *place(spec, dtypes, index))) for index in indices]
        yield [pair for pair in drawn if pair[0] >= start]


def cases(spec: LayerSpec, seed: int, dtypes: Sequence[str], start: int, stop: int) -> Iterator[tuple[int, Case]]:
    """The cases start .. stop - 1 with their numbers."""
    for block in blocks(spec, seed, dtypes, start, stop):
        yield from block


def case_at(spec: LayerSpec, seed: int, dtypes: Sequence[str], index: int) -> Case:
    """The case of one number."""
    return next(case for _, case in cases(spec, seed, dtypes, index, index + 1))
