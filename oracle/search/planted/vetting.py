"""Which faults are none in a layer like a user's own torch function: of ours it is known, of theirs it is found out, with torch at hand.

A gradient of torch.round is 0 and has no sign to be wrong; where torch raises for an empty input a layer may as well; and where a ball
rule leaves everything undetermined, next to infinities or subnormal numbers, the allowed error promises nothing. A fault is planted
if its layer answers otherwise than the unspoiled one on some case, in an element that is determined. Whether it is convicted is not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from oracle.core.ball import PRECISIONS, Ball
from oracle.core.case import Array, Case
from oracle.core.compare import allowed_error
from oracle.core.observe import Observation, observe, watching
from oracle.core.spec import LayerSpec
from oracle.search.numbered import cases
from oracle.search.planted.registry import Fault
from oracle.search.planted.right import Right, told, told_spec
from oracle.search.planted.scope import Scope

ORDINARY = 192
"""Ordinary cases, of seed 0, for the faults that wait for no boundary."""


class _Known:
    """A case, what the unspoiled layer makes of it, and the balls of the quantities."""

    def __init__(self, spec: LayerSpec, case: Case) -> None:
        self.case = told(case)
        self.seen = observe(Right(spec), self.case)
        self.balls: dict[str, Ball] = {}
        if self.seen.evaluation.error is None:
            with np.errstate(all="ignore"):
                self.balls = spec.bounds(PRECISIONS[case.dtype], case)


def real(scope: Scope, faults: Sequence[Fault]) -> list[Fault]:
    """Those of `faults` that make a difference to layers of the spec, in their order."""
    at_boundaries = [fault for fault in faults if fault.family == "boundaries"]
    # a boundary that shows only together with another one is met too seldom
    idle = _idle(scope, at_boundaries, scope.single_probes)
    idle |= _idle(scope, [fault for fault in faults if fault not in at_boundaries], _ordinary(scope))
    return [fault for fault in faults if fault.name not in idle]


def _idle(scope: Scope, faults: Sequence[Fault], tried: Iterable[Case]) -> set[str]:
    """The names of the faults that make no difference to any of the cases."""
    spec = told_spec(scope.spec)
    waiting = {fault.name: fault.make(spec) for fault in faults}
    with watching():
        for case in tried:
            known = _Known(spec, case)
            waiting = {name: layer for name, layer in waiting.items() if not _differs(spec, known, observe(layer, known.case))}
            if not waiting:
                break
    return set(waiting)


def _ordinary(scope: Scope) -> Iterator[Case]:
    for _, case in cases(scope.spec, 0, scope.dtypes, 0, ORDINARY):
        # 0 times an infinite dout is a NaN, and tells nothing about a gradient that is 0
        if scope.spec.claims.leave_out(case) is None and all(np.isfinite(a).all() for a in case.arrays.values()):
            yield case


def _differs(spec: LayerSpec, known: _Known, seen: Observation) -> bool:
    mine, right = seen.evaluation, known.seen.evaluation
    if (mine.error is None) != (right.error is None):
        return True
    if mine.error is not None:
        return False
    if seen.breaches or seen.warned:
        return True
    pairs = [*zip(spec.quantities, mine.outputs + mine.grads, right.outputs + right.grads, strict=True)]
    if seen.again is not None:
        pairs += zip(spec.backward_names, seen.again, right.grads, strict=True)
    return any(_told_apart(a, e, known.balls[name]) for name, a, e in pairs)


def _told_apart(a: Array, e: Array, ball: Ball) -> bool:
    """Whether both differ in an element for which there is an allowed error."""
    if a.dtype != e.dtype or a.shape != e.shape:
        return True
    other = ~((a == e) | (np.isnan(a) & np.isnan(e)))
    return bool((other & np.isfinite(allowed_error(ball))).any())
