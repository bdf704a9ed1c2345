"""What a run keeps of cases that hold: a few small ones with both answers, and the one with the largest margin of every quantity."""

from __future__ import annotations

import math

import numpy as np

from oracle.core.case import Case
from oracle.core.evaluation import Evaluation
from oracle.core.observe import Judged, watching
from oracle.core.spec import LayerSpec
from oracle.core.stored import stored_array, stored_case
from oracle.results.model import Sample, Worst
from oracle.search.explain import measured

SMALL = 48
"""Elements of a sample: enough to differ somewhere, few enough to be read."""
LARGEST = 64
"""Elements of a worst case that is stored with its arrays; of a larger one the shapes are told."""
SAMPLED = 4096
"""Numbers up to which cases are looked at as samples."""


def is_sample(index: int, case: Case) -> bool:
    """Whether a case is small and plain enough to be compared between runs, whatever it answers."""
    if index >= SAMPLED or case.protocol != "plain" or case.layout != "C" or case.refusal is not None:
        return False
    arrays = case.arrays.values()
    return 3 <= sum(a.size for a in arrays) <= SMALL and all(a.size and np.isfinite(a).all() for a in arrays)


def sample(spec: LayerSpec, label: str, index: int, case: Case, actual: Evaluation, expected: Evaluation) -> Sample | None:
    """The case with both answers by quantity; None where one of them is none."""
    if actual.error or expected.error:
        return None
    stored = stored_case(case)
    sides = [dict(zip(spec.quantities, map(stored_array, e.outputs + e.grads), strict=False)) for e in (actual, expected)]
    return Sample(
        layer=label,
        branch=case.branch,
        dtype=case.dtype,
        index=index,
        digest=stored.digest,
        case=stored,
        actual=sides[0],
        expected=sides[1],
    )


def worst_case(spec: LayerSpec, subject: Judged, label: str, seed: int, index: int, case: Case, quantity: str) -> Worst | None:
    """The case `index`, in which `quantity` has its largest margin, with the values at its worst element."""
    with watching(), np.errstate(all="ignore"):
        found = measured(spec, subject, case, quantity)
    if found is None:
        return None
    shapes = {name: a.shape for name, a in case.arrays.items()}
    small = sum(math.prod(shape) for shape in shapes.values()) <= LARGEST and case.prior is None
    return Worst(
        layer=label,
        branch=case.branch,
        dtype=case.dtype,
        quantity=quantity,
        seed=seed,
        index=index,
        comparison=found,
        shapes=shapes,
        protocol=case.protocol,
        layout=case.layout,
        profiles=tuple(dict.fromkeys(case.profiles)),
        case=stored_case(case) if small else None,
    )
