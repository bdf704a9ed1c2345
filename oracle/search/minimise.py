"""Making a failing case small enough to read: the smallest shape and the simplest values that still fail for the same reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from oracle.core.case import Array, Case
from oracle.core.evaluation import Finding
from oracle.core.judge import judge
from oracle.core.observe import Judged, watching
from oracle.core.spec import LayerSpec

BUDGET = 600
"""Judgements spent on one counterexample: a few tenths of a second."""


class Minimiser:
    """Greedy reduction of one failing case. A smaller case is kept if it still has a finding with the same name and reason."""

    def __init__(self, spec: LayerSpec, subject: Judged, wanted: tuple[str, str], budget: int = BUDGET) -> None:
        self._spec, self._subject, self._wanted = spec, subject, wanted
        self._left = budget
        self._groups = ["cotangents", "inputs", "params"]
        if "cotangent.unchanged" in spec.vacuous:
            # the subject is never handed the cotangent, so changing it would only set torch another task
            self._groups.remove("cotangents")

    def finding(self, case: Case) -> Finding | None:
        """The finding that is looked for, if `case` still has it."""
        found = judge(self._spec, self._subject, case, measure=True).findings
        return next((f for f in found if f.key == self._wanted), None)

    def smaller(self, case: Case) -> Case:
        """The smallest case that was found within the budget; `case` itself where nothing smaller fails."""
        with watching(), np.errstate(all="ignore"):
            while self._left > 0:
                before = case
                for step in (_simpler_handling, _shorter_axes, self._simpler_arrays):
                    case = self._reduced(case, step)
                if case is before:
                    break
            return self._with_simple_elements(case)

    def _reduced(self, case: Case, step: Callable[[Case], Iterator[Case]]) -> Case:
        """`case` after every change of `step` that keeps it failing; starts again after each that does."""
        again = True
        while again and self._left > 0:
            again = False
            for candidate in step(case):
                if self._fails(candidate):
                    case, again = candidate, True
                    break
        return case

    def _fails(self, case: Case) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        try:
            return self.finding(case) is not None
        except Exception:
            # a cut that no longer makes a case of this layer, such as labels beyond the classes that are left
            return False

    def _simpler_arrays(self, case: Case) -> Iterator[Case]:
        """A whole array of zeros, ones or small integers in place of what it holds."""
        for group in self._groups:
            for name, a in getattr(case, group).items():
                labels = a.dtype.kind in "iu" and "C" not in case.dims.get(name, ())
                if a.dtype.kind != "f" and not labels:
                    continue
                for simple in (np.zeros_like(a), np.ones_like(a), np.clip(np.round(a), -9, 9)):
                    if _complexity(simple) < _complexity(a):
                        yield _replaced(case, group, name, simple)

    def _with_simple_elements(self, case: Case) -> Case:
        """Single elements set to 0 or 1, or rounded, where the case still fails."""
        for group in self._groups:
            for name in getattr(case, group):
                for i in range(min(getattr(case, group)[name].size, 32)):
                    for candidate in _simpler_element(case, group, name, i):
                        if self._fails(candidate):
                            case = candidate
                            break
        return case


def _replaced(case: Case, group: str, name: str, a: Array) -> Case:
    arrays = {**getattr(case, group), name: a}
    if group == "inputs":
        return case._replace(inputs=arrays)
    return case._replace(params=arrays) if group == "params" else case._replace(cotangents=arrays)


def _simpler_handling(case: Case) -> Iterator[Case]:
    if case.protocol != "plain":
        yield case._replace(protocol="plain", prior=None)
    if case.layout != "C":
        yield case._replace(layout="C")
    if case.prior is not None:
        mine, theirs = set(case.prior.sizes.items()), set(case.sizes.items())
        if mine != theirs:
            yield case._replace(prior=case._replace(prior=None, protocol="plain", layout="C"))


def _shorter_axes(case: Case) -> Iterator[Case]:
    """Every named axis cut in all arrays at once: to one element, to a half, by one."""
    for name, size in case.sizes.items():
        if size <= 1:
            continue
        everything = list(range(size))
        keeps = [everything[:1], everything[-1:], everything[: size // 2], everything[size // 2 :]]
        if size <= 16:
            keeps += [everything[:i] + everything[i + 1 :] for i in range(size)]
        for keep in keeps:
            yield case.cut(name, keep)


def _simpler_element(case: Case, group: str, name: str, i: int) -> Iterator[Case]:
    a = getattr(case, group)[name]
    if a.dtype.kind != "f":
        return
    old = a.reshape(-1)[i]
    for value in (0.0, 1.0, np.round(old)):
        if _complexity(np.asarray(value)) < _complexity(np.asarray(old)):
            b = a.copy()
            b.reshape(-1)[i] = value
            yield _replaced(case, group, name, b)


def _complexity(a: Array) -> float:
    """How hard an array is to read: zeros cost nothing, ones little, small integers more, anything else most."""
    finite = np.isfinite(a)
    whole = finite & (a == np.round(np.where(finite, a, 0))) & (np.abs(a) < 10)
    cost = np.where(whole, np.where(a == 0, 0.0, np.where(a == 1, 1.0, 2.0)), 4.0)
    negative_zero = (a == 0) & np.signbit(a)
    return float((cost + np.where(negative_zero, 0.5, 0.0)).sum())
