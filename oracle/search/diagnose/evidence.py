"""What a diagnosis rests on: the layer tried on many cases, every trial with torch's answer and what rounding may do to it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from oracle.core import torch_side
from oracle.core.ball import PRECISIONS
from oracle.core.case import Array, Arrays, Case
from oracle.core.compare import allowed_error
from oracle.core.contracts import CONTRACTS
from oracle.core.draw import STRATA, GeneratorSource, calm_case, draw_case
from oracle.core.evaluation import Evaluation, Finding
from oracle.core.judge import decide
from oracle.core.observe import Judged, Observation, observe
from oracle.core.spec import LayerSpec

BUDGET = 300
"""Observations that one diagnosis may cost."""
CALM = 10
FAILING = 12
"""Failing cases that a cause must explain."""
MIX = 180
"""Cases of the ordinary mix that are looked through for failing ones."""
SLACK = 2.0**10
"""Units roundoff that a prediction may be off beside the allowed error: it is formed in another order than the layer's own answer."""
_STRATA_OF = {
    "state.fresh": (1, 2, 8, 11),
    "backward.repeatable": (5, 10),
    "call.forward-first": (3,),
    "inputs.layout": (1, 4, 7, 10),
    "labels.forms-agree": (6,),
    "inputs.refused": (7,),
}
"""The ways of handing over that put a contract to the test; everything else is tried plainly."""
_PLAIN = (0, 9)


class Trial(NamedTuple):
    """One case, tried. actual, expected, allowed: by quantity; allowed is infinite where nothing is determined.

    finding: that of the row in question, None where the row holds. again: the second backward's gradients by quantity.
    """

    case: Case
    actual: Arrays
    expected: Arrays
    allowed: Arrays
    again: Arrays
    error: str | None
    finding: Finding | None
    seen: Observation

    @property
    def failing(self) -> bool:
        return self.finding is not None


class SpentError(Exception):
    """The budget of observations is used up."""


class Bench:
    """Tries the subject on cases, and keeps count.

    row: name and reason of the finding. quantity: the array that shows it, None where there is none.
    """

    def __init__(self, spec: LayerSpec, subject: Judged, row: tuple[str, str], branch: str, dtype: str, seed: int) -> None:
        self.spec, self.subject, self.row, self.branch, self.dtype = spec, subject, row, branch, dtype
        self.rng = np.random.default_rng([seed, zlib.crc32("/".join((spec.name, branch, dtype, *row)).encode())])
        self.left = BUDGET

    def tried(self, case: Case) -> Trial | None:
        """The trial of `case`; None where torch has no answer to compare with. Raises SpentError."""
        if self.left <= 0:
            raise SpentError
        expected = torch_side.evaluate(self.spec, case)
        if (expected.error is None) == (case.refusal is not None):
            return None
        self.left -= 1
        seen = observe(self.subject, case)
        findings = decide(self.spec, self.subject, case, expected, seen, True).findings
        # deciding tries the case in other ways too, once for each thing that is wrong with how it was handed over
        self.left -= len(findings)
        name, reason = self.row
        finding = next((f for f in findings if f.name == name and f.reason == reason), None)
        other = finding is None and any(f.name == name for f in findings)
        return None if other else self._trial(case, expected, seen, finding)

    def _trial(self, case: Case, expected: Evaluation, seen: Observation, finding: Finding | None) -> Trial:
        names = self.spec.quantities
        answers = dict(zip(names, expected.outputs + expected.grads, strict=False))
        allowed = {}
        if case.refusal is None:
            balls = self.spec.bounds(PRECISIONS[case.dtype], case)
            allowed = {name: allowed_error(ball) for name, ball in balls.items()}
        mine = {} if seen.evaluation.error is not None else dict(zip(names, seen.evaluation.outputs + seen.evaluation.grads, strict=True))
        again = dict(zip(self.spec.backward_names, seen.again or (), strict=False))
        return Trial(case, mine, answers, allowed, again, seen.evaluation.error, finding, seen)

    def fails(self, case: Case) -> bool | None:
        """Whether the row fails on `case`; None where torch has no answer, or another fault of the row hides it."""
        trial = self.tried(case)
        return None if trial is None else trial.failing

    def calm(self, dtype: str = "float64", sizes: Mapping[str, int] | None = None) -> Case:
        """A case of normal numbers, plain, handed over in the way that the row is about."""
        case = calm_case(self.spec, self.rng, self.branch, dtype, sizes)
        if self.row[0] == "state.fresh":
            again = calm_case(self.spec, self.rng, self.branch, dtype, case.sizes)
            return case._replace(protocol="reused", prior=again)
        protocol = {"backward.repeatable": "backward-twice", "call.forward-first": "backward-first", "labels.forms-agree": "other-form"}
        return case._replace(protocol=protocol.get(self.row[0], "plain"))

    def mixed(self, dtype: str) -> Iterator[Case]:
        """Cases as the sweep draws them, of this branch and dtype, in the ways that put the row to the test."""
        source = GeneratorSource(self.rng)
        strata = _STRATA_OF.get(self.row[0], _PLAIN)
        if self.row[0] in CONTRACTS and self.row[0] not in _STRATA_OF:
            strata = (*_PLAIN, *range(STRATA))
        while True:
            for stratum in strata:
                yield draw_case(self.spec, source, self.branch, dtype, stratum)


class Evidence(NamedTuple):
    """The trials that a cause is held against. calm: the row fails on normal numbers already, so nothing nasty is needed.

    failing, passing: of one kind of case, so that a cause must explain why these and not those.
    """

    bench: Bench
    first: Trial
    failing: list[Trial]
    passing: list[Trial]
    calm: bool

    @property
    def quantity(self) -> str | None:
        """The quantity that the row is about, or that its finding shows."""
        name = self.bench.row[0]
        if name in self.bench.spec.quantities:
            return name
        found = next((t.finding.comparison for t in self.failing if t.finding is not None and t.finding.comparison), None)
        return None if found is None else found.quantity

    @property
    def trials(self) -> list[Trial]:
        return [*self.failing, *self.passing]

    @property
    def label(self) -> str:
        """How sentences call what is wrong."""
        return self.quantity or self.bench.row[0]


def gathered(bench: Bench, case: Case) -> Evidence | None:
    """Failing and passing cases: calm ones where these fail, otherwise some of the mix. None if `case` itself holds."""
    first = bench.tried(case)
    if first is None or not first.failing:
        return None
    for dtype in dict.fromkeys(("float64", case.dtype)):
        failing, passing = _sorted(bench, (bench.calm(dtype) for _ in range(CALM)))
        if failing:
            return Evidence(bench, first, failing[:FAILING], passing, True)
    failing, passing = _sorted(bench, _mix_of(bench, case.dtype))
    return Evidence(bench, first, [first, *failing][:FAILING], passing, False)


def _mix_of(bench: Bench, dtype: str) -> Iterator[Case]:
    for i, case in enumerate(bench.mixed(dtype)):
        if i == MIX or bench.left < BUDGET // 3:
            return
        yield case


def _sorted(bench: Bench, cases: Iterable[Case]) -> tuple[list[Trial], list[Trial]]:
    failing: list[Trial] = []
    passing: list[Trial] = []
    for case in cases:
        trial = bench.tried(case)
        if trial is not None:
            (failing if trial.failing else passing).append(trial)
        if len(failing) == FAILING:
            break
    return failing, passing


def agrees(actual: Array, predicted: Array, allowed: Array, dtype: str) -> bool:
    """Whether `actual` is what was predicted, up to the allowed error and SLACK units roundoff of the prediction."""
    if actual.shape != predicted.shape:
        return False
    a, p = actual.astype(np.float64), predicted.astype(np.float64)
    reach = np.where(np.isfinite(allowed), allowed, 0.0) if allowed.shape == a.shape else np.zeros_like(a)
    same = (a == p) | (np.isnan(a) & np.isnan(p))
    with np.errstate(invalid="ignore"):
        near = np.isfinite(p) & (np.abs(a - p) <= reach + SLACK * PRECISIONS[dtype].u * np.abs(p))
    return bool((same | near | _open(allowed, a.shape)).all())


def _open(allowed: Array, shape: tuple[int, ...]) -> Array:
    """The elements of which nothing is determined: no prediction can be held against them."""
    return ~np.isfinite(allowed) if allowed.shape == shape else np.zeros(shape, bool)


def differing(trial: Trial, quantity: str, predicted: Array) -> int:
    """In how many elements the prediction is clearly another than what torch gives."""
    e = trial.expected[quantity].astype(np.float64)
    if predicted.shape != e.shape:
        return max(predicted.size, 1)
    allowed = trial.allowed[quantity]
    p = predicted.astype(np.float64)
    same = (p == e) | (np.isnan(p) & np.isnan(e))
    return int((~same & ~(np.abs(p - e) <= 4 * allowed) & np.isfinite(allowed)).sum())
