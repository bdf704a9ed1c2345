"""What a subject promises. What it does not promise is not asked of it, and shows as not claimed, never as passed."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from oracle.core.case import Case
    from oracle.core.draw import Draw
    from oracle.core.spec import LayerSpec

ALIASES = {
    "dout": ("cotangent.honoured",),
    "cotangent": ("cotangent.honoured",),
    "broadcasting": ("broadcast",),
    "index-labels": ("index", "unbatched-index"),
    "one-hot-labels": ("one-hot",),
    "soft-labels": ("probabilities", "unbatched-probabilities"),
    "unbatched": ("unbatched-index", "unbatched-probabilities"),
    "tensors": ("tensor",),
    "reuse": ("state.fresh",),
    "layouts": ("inputs.layout",),
    "memory-layouts": ("inputs.layout",),
    "warnings": ("call.no-warnings",),
    "errors": ("inputs.refused", "call.forward-first"),
    "dtypes": ("results.dtype",),
    "backward-twice": ("backward.repeatable",),
    "in-place": ("inputs.unchanged", "params.unchanged", "cotangent.unchanged"),
    "views": ("results.own-memory",),
    "infinities": ("inf",),
    "empty-batch": ("empty",),
}
"""Words that people use -> the ids they mean."""
_ELSEWHERE = {i for ids in ALIASES.values() for i in ids}
VALUES = {
    "nan": "cases with a NaN in them",
    "inf": "cases with an infinity in them",
    "empty": "cases with an axis of size 0",
}
"""Kinds of input that may be left out, and what that leaves out."""


class ClaimError(ValueError):
    """A word in `not_claimed` that means nothing for this layer: the message lists those that do."""


class Claims(NamedTuple):
    """What is *not* claimed, sorted into rows (quantities and contracts), branches, dtypes and values; `words` as they were given."""

    words: tuple[str, ...] = ()
    rows: frozenset[str] = frozenset()
    branches: frozenset[str] = frozenset()
    dtypes: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()

    def leave_out(self, case: Case) -> str | None:
        """Why `case` is not asked of the subject; None where it is."""
        if not self.values:
            return None
        arrays = [*case.arrays.values(), *(() if case.prior is None else case.prior.arrays.values())]
        floats = [a for a in arrays if a.dtype.kind == "f"]
        held = {
            "nan": any(np.isnan(a).any() for a in floats),
            "inf": any(np.isinf(a).any() for a in floats),
            "empty": any(a.size == 0 for a in arrays),
        }
        return next((f"not claimed: {name}" for name in sorted(self.values) if held[name]), None)


EVERYTHING = Claims()
"""The claims of a subject that declares nothing: it is judged on all that its spec has."""


def claims_of(spec: LayerSpec, words: Iterable[str]) -> Claims:
    """`words` sorted by what they mean for `spec`. Raises ClaimError naming the words there are.

    A word for what other layers have (broadcasting, labels) means nothing here and is let pass: one list may serve many layers.
    """
    from oracle.core.contracts import CONTRACTS

    groups = {
        "rows": {*spec.quantities, *CONTRACTS},
        "branches": set(spec.branches),
        "dtypes": set(spec.dtypes),
        "values": set(VALUES),
    }
    known = {name.lower(): name for names in groups.values() for name in names}
    for name in spec.quantities:
        known.setdefault(name.partition(".")[2].lower(), name)
    found: dict[str, set[str]] = {kind: set() for kind in groups}
    given = tuple(dict.fromkeys(w.strip() for word in words for w in word.split(",") if w.strip()))
    for word in given:
        folded = "-".join(word.lower().replace("_", " ").split())
        ids = ALIASES.get(folded, (known.get(folded, folded),))
        hits = [(kind, i) for i in ids for kind, names in groups.items() if i in names]
        if not hits and not set(ids) <= _ELSEWHERE:
            raise ClaimError(_unknown(spec, word, groups))
        for kind, i in hits:
            found[kind].add(i)
    return Claims(given, **{kind: frozenset(ids) for kind, ids in found.items()})


def _unknown(spec: LayerSpec, word: str, groups: dict[str, set[str]]) -> str:
    words = sorted({*ALIASES, *(name for names in groups.values() for name in names)})
    near = difflib.get_close_matches(word.lower(), words, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"not_claimed: {word!r} means nothing for {spec.name}.{hint} There are {', '.join(words)}."


def claimed(spec: LayerSpec, words: Sequence[str], forward_only: bool = False) -> LayerSpec:
    """`spec` without what is not claimed: fewer branches, and a `dout` of ones where another one is not promised.

    forward_only: the subject has no gradients at all, so none is asked for. Raises ClaimError, also where nothing is left to judge.
    """
    claims = claims_of(spec, words)
    branches = tuple(b for b in spec.branches if b not in claims.branches)
    if not branches or not set(spec.dtypes) - claims.dtypes or claims.rows >= _rows(spec, forward_only):
        raise ClaimError(f"not_claimed leaves nothing of {spec.name} to judge: it has the branches {', '.join(spec.branches)}.")
    changed = dataclasses.replace(spec, claims=claims, branches=branches)
    if "cotangent.honoured" in claims.rows:
        refusals = tuple(r for r in spec.refusals if r.id != "cotangent-of-another-shape")
        changed = dataclasses.replace(changed, cases=_with_ones(spec), refusals=refusals)
    if "inputs.refused" in claims.rows:
        changed = dataclasses.replace(changed, refusals=())
    if forward_only:
        changed = _without_gradients(changed)
    return changed


def _rows(spec: LayerSpec, forward_only: bool) -> set[str]:
    """Every row that a run of `spec` would have."""
    from oracle.core.contracts import declared

    asked = _without_gradients(spec) if forward_only else spec
    return {*asked.quantities, *(name for branch in spec.branches for name in declared(asked, branch))}


def _with_ones(spec: LayerSpec) -> _Drawing:
    def cases(draw: Draw, branch: str) -> Case:
        case = spec.cases(draw, branch)
        return case._replace(cotangents={name: np.ones_like(a) for name, a in case.cotangents.items()})

    return cases


def _without_gradients(spec: LayerSpec) -> LayerSpec:
    # the cases keep their cotangents: the formula of the bounds has them in it
    return dataclasses.replace(
        spec,
        wrt=(),
        refusals=tuple(r for r in spec.refusals if r.id != "cotangent-of-another-shape"),
        protocols=tuple(p for p in spec.protocols if not p.startswith("backward")),
    )


if TYPE_CHECKING:
    from collections.abc import Callable

    _Drawing = Callable[[Draw, str], Case]
