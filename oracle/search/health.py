"""Oracle health: torch.autograd against central differences of torch's own forward, on small float64 cases of the run itself.

So that "the oracle moved" is seen, and not charged to the layer. Every element of every gradient of a few cases of each branch is told
by differences (see `oracle.core.differences`), as well as differences can tell it:

- wrong: autograd is further from the difference than 4 times what both can be off by. 4, as everywhere: two values, each within its
  error, and twice that for the terms left out;
- at a kink, or unresolved: the difference is known no better than to 1e-4 of the largest gradient of its array, so nothing is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from oracle.core import torch_side
from oracle.core.ball import PRECISIONS, Ball
from oracle.core.case import Array, Case
from oracle.core.compare import FACTOR
from oracle.core.differences import OFFSETS, Difference, difference, points
from oracle.core.evaluation import Evaluation
from oracle.core.spec import LayerSpec
from oracle.results.model import Health
from oracle.search.numbered import cases

CASES = 6
"""Cases of each branch."""
ELEMENTS = 24
"""The most elements that all arrays with a gradient may have together."""
LARGEST = 256.0
"""The largest number in them: beside larger ones, what a step changes drowns in rounding, or saturates."""
LIMIT = 2000
"""The most cases that are looked through for suitable ones."""
RESOLVED = 1e-4
"""A difference that is not known to this share of the gradient's scale says nothing."""
DTYPE = "float64"


@dataclass
class _Count:
    """What is known of one gradient in one branch."""

    n_elements: int = 0
    n_kinks: int = 0
    n_unresolved: int = 0
    n_wrong: int = 0
    worst: float | None = None


def health_of(spec: LayerSpec, label: str, seed: int, dtypes: Sequence[str], examples: int) -> Iterator[Health]:
    """One record for every gradient of every branch, under the layer's name `label`; none where there are no gradients."""
    if not spec.wrt:
        return
    counts = {(branch, name): _Count() for branch in spec.branches for name in spec.backward_names}
    n_cases = dict.fromkeys(spec.branches, 0)
    with np.errstate(all="ignore"):
        for case, expected in _suitable(spec, seed, dtypes, examples, n_cases):
            n_cases[case.branch] += 1
            for name, grad in zip(spec.wrt, expected.grads, strict=True):
                _add(counts[case.branch, f"backward.d{name}"], spec, case, name, grad)
    for (branch, quantity), count in counts.items():
        n = n_cases[branch]
        message = "" if n else _why_none(dtypes)
        yield Health(layer=label, branch=branch, quantity=quantity, n_cases=n, message=message, **vars(count))


def _why_none(dtypes: Sequence[str]) -> str:
    if DTYPE not in dtypes:
        return "the run has no float64 cases, and differences need them"
    return f"no case of the run was suitable: at most {ELEMENTS} elements with a gradient, none above {LARGEST:g}, answers finite"


def _suitable(
    spec: LayerSpec, seed: int, dtypes: Sequence[str], examples: int, n_cases: dict[str, int]
) -> Iterator[tuple[Case, Evaluation]]:
    """The first CASES small float64 cases of every branch with finite answers. `n_cases` is counted up by whoever takes them."""
    if DTYPE not in dtypes:
        return
    for _, case in cases(spec, seed, dtypes, 0, min(examples, LIMIT)):
        if case.dtype != DTYPE or n_cases[case.branch] >= CASES or case.refusal or spec.claims.leave_out(case):
            continue
        n_elements = sum(_array(case, name).size for name in spec.wrt)
        if not 0 < n_elements <= ELEMENTS or not _moderate(case):
            continue
        expected = torch_side.evaluate(spec, case)
        if expected.error is None and all(np.isfinite(a).all() for a in expected.outputs + expected.grads):
            yield case, expected
        if min(n_cases.values()) >= CASES:
            return


def _moderate(case: Case) -> bool:
    given = [*case.inputs.values(), *case.params.values()]
    return all((np.abs(a) <= LARGEST).all() for a in given if a.dtype.kind == "f") and all(
        np.isfinite(c).all() for c in case.cotangents.values()
    )


def _array(case: Case, name: str) -> Array:
    return case.inputs[name] if name in case.inputs else case.params[name]


def _add(count: _Count, spec: LayerSpec, case: Case, name: str, grad: Array) -> None:
    """Hold one gradient of one case against differences."""
    own = _radius(spec, case, f"backward.d{name}")
    found = [_differentiated(spec, case, name, index) for index in np.ndindex(grad.shape)]
    told = [abs(float(g)) for g in grad.flat] + [abs(d.value) for d in found if d is not None]
    scale = max((size for size in told if math.isfinite(size)), default=0.0)
    for d, g, r in zip(found, grad.flat, own.flat, strict=True):
        count.n_elements += 1
        if d is not None and d.at_kink(RESOLVED * scale):
            count.n_kinks += 1
        elif d is None or not d.error + r <= RESOLVED * scale:
            count.n_unresolved += 1
        else:
            ratio = _ratio(abs(float(g) - d.value), FACTOR * (d.error + float(r)))
            count.worst = max(count.worst or 0.0, ratio)
            count.n_wrong += ratio > 1


def _ratio(off: float, allowed: float) -> float:
    return 0.0 if off == 0 else off / allowed if allowed else math.inf


def _differentiated(spec: LayerSpec, case: Case, name: str, index: tuple[int, ...]) -> Difference | None:
    """The derivative with respect to one element; None where torch does not answer around it with numbers."""
    forward = replace(spec, wrt=())
    where = points(float(_array(case, name)[index]))
    moved = [_with(case, name, index, value) for value in where.at]
    answers = [torch_side.evaluate(forward, each) for each in moved]
    if any(answer.error is not None for answer in answers):
        return None
    y = [_joined(case, spec.outputs, answer.outputs) for answer in answers]
    if not all(np.isfinite(each).all() for each in y):
        return None
    radii = [_forward_radius(spec, moved[OFFSETS.index(k)]) for k in (-2, 0, 2)]
    c = np.concatenate([a.reshape(-1) for a in case.cotangents.values()])
    return difference(where, y, c, np.max(radii, axis=0))


def _with(case: Case, name: str, index: tuple[int, ...], value: float) -> Case:
    """The case with one element of one array changed."""
    a = _array(case, name).copy()
    a[index] = value
    if name in case.inputs:
        return case._replace(inputs={**case.inputs, name: a})
    return case._replace(params={**case.params, name: a})


def _joined(case: Case, names: Sequence[str], arrays: Sequence[Array]) -> Array:
    """The outputs that have a cotangent, flat and in its order."""
    found = dict(zip(names, arrays, strict=True))
    return np.concatenate([found[name].reshape(-1) for name in case.cotangents])


def _forward_radius(spec: LayerSpec, case: Case) -> Array:
    balls = spec.bounds(PRECISIONS[DTYPE], case)
    return _joined(case, spec.outputs, [_radius_of(balls[name]) for name in spec.forward_names])


def _radius(spec: LayerSpec, case: Case, quantity: str) -> Array:
    return _radius_of(spec.bounds(PRECISIONS[DTYPE], case)[quantity])


def _radius_of(ball: Ball) -> Array:
    return np.broadcast_to(ball.radius, ball.v.shape)
