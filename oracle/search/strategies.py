"""Hypothesis as the source of a draw: it decides structure, so that it can shrink it; values come from a seed that it draws last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from oracle.core.case import Case
from oracle.core.draw import STRATA, draw_case
from oracle.core.spec import LayerSpec


class HypothesisSource:
    """Structure from Hypothesis. The generator of values is seeded by a draw of its own, at the first value."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw
        self._rng: np.random.Generator | None = None

    @property
    def rng(self) -> np.random.Generator:
        """The generator of values."""
        if self._rng is None:
            self._rng = np.random.default_rng(self.integer(0, 2**32 - 1))
        return self._rng

    def integer(self, low: int, high: int) -> int:
        """An integer from low to high; Hypothesis shrinks it towards low."""
        drawn: int = self._draw(st.integers(low, high))
        return drawn


@st.composite
def cases(draw: Callable[[st.SearchStrategy[Any]], Any], spec: LayerSpec, branch: str, dtype: str) -> Case:
    """Cases of one branch and dtype, in every protocol."""
    stratum = draw(st.integers(0, STRATA - 1))
    with np.errstate(all="ignore"):
        return draw_case(spec, HypothesisSource(draw), branch, dtype, stratum)
