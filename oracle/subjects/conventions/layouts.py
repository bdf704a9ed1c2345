"""How a layer wants its parameters to lie: (in, out) or (out, in), (D,) or (1, D) or (D, 1). Always views, never copies."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from oracle.core.case import Arrays


class Layout(NamedTuple):
    """A way to hand over a parameter. `give` turns the spec's array into the layer's, `back` a gradient the other way.

    back: a gradient that has not the parameter's shape does not get the spec's shape either, so that a fault stays one.
    """

    text: str
    give: Callable[[Any], Any]
    back: Callable[[Any], Any]


def _same(a: Any) -> Any:
    return a


def _transposed(a: Any) -> Any:
    return a.T if isinstance(a, np.ndarray) else a


def _row_back(g: Any) -> Any:
    if not isinstance(g, np.ndarray):
        return g
    return g[0] if g.ndim == 2 and len(g) == 1 else g[None]


def _column_back(g: Any) -> Any:
    if not isinstance(g, np.ndarray):
        return g
    return g[:, 0] if g.ndim == 2 and g.shape[1] == 1 else g[..., None]


_BY_RANK: dict[int, tuple[Layout, ...]] = {
    1: (Layout("(D,)", _same, _same), Layout("(1, D)", lambda a: a[None], _row_back), Layout("(D, 1)", lambda a: a[:, None], _column_back)),
    2: (Layout("(in, out)", _same, _same), Layout("(out, in)", _transposed, _transposed)),
}
_AS_IS = Layout("", _same, _same)

Layouts = Mapping[str, Layout]
"""A layout for every parameter, by the spec's name."""


def layouts(params: Arrays) -> list[Layouts]:
    """Every combination, the spec's own layout first."""
    options = [_BY_RANK.get(a.ndim, (_AS_IS,)) for a in params.values()]
    return [dict(zip(params, chosen, strict=True)) for chosen in itertools.product(*options)]


def given(layouts: Layouts, params: Arrays) -> Arrays:
    """The parameters as the layer wants them: views."""
    return {name: layouts[name].give(a) for name, a in params.items()}


def described(layouts: Layouts) -> list[str]:
    """Words for the layouts: "W (out, in)"."""
    return [f"{name} {layout.text}" for name, layout in layouts.items() if layout.text]
