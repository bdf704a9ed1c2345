"""The search: passes over a failing case, until none of them makes it smaller."""

from __future__ import annotations

from hashlib import blake2b
from time import monotonic

import numpy as np

from oracle.core.case import Case
from oracle.core.evaluation import Finding
from oracle.core.judge import judge
from oracle.core.observe import Judged, SubjectGone, watching
from oracle.core.spec import LayerSpec
from oracle.search.minimise.shapes import shorter_axes, simpler_handling
from oracle.search.minimise.values import simpler_values

BUDGET = 1000
"""Judgements spent on one counterexample. None of the planted faults needs more than 120."""
SECONDS = 2.0
"""A stop for slow layers. Where it is reached the minimised case depends on the machine; elsewhere the case alone decides."""


class Minimiser:
    """Reduction of one failing case. A smaller case is kept if it still has a finding with the same name and reason.

    Structure first, then values, greedily and without Hypothesis, which users need not have: tried on the nine planted faults with
    the longest axes, it reached a smaller case for one of them, in 10 to 100 times the time.

    wanted: that name and reason. budget: judgements at most. seconds: no judgement is begun later than this.
    """

    def __init__(self, spec: LayerSpec, subject: Judged, wanted: tuple[str, str], budget: int = BUDGET, seconds: float = SECONDS) -> None:
        self._spec, self._subject, self._wanted = spec, subject, wanted
        self._left, self._seconds, self._stop = budget, seconds, 0.0
        self._judged: dict[bytes, bool] = {}
        # a subject that is never handed the cotangent would only see torch set another task
        self._cotangents = "cotangent.unchanged" not in spec.vacuous

    def finding(self, case: Case) -> Finding | None:
        """The finding that is looked for, if `case` still has it."""
        found = judge(self._spec, self._subject, case, measure=True).findings
        return next((f for f in found if f.key == self._wanted), None)

    def smaller(self, case: Case) -> Case:
        """The smallest case that was found within the budget; `case` itself where nothing smaller fails.

        A case that the subject's process did not survive is given back at once: trying it again costs a process each time.
        """
        if self._wanted[1] == "died":
            return case
        self._stop = monotonic() + self._seconds
        with watching(), np.errstate(all="ignore"):
            seen: set[bytes] = set()
            while (identity := _identity(case)) not in seen:
                seen.add(identity)
                case = simpler_handling(case, self._fails)
                case = shorter_axes(case, self._fails)
                case = simpler_values(case, self._fails, self._cotangents)
        return case

    def _fails(self, case: Case) -> bool:
        """Whether `case` still has the finding; no, once the budget or the time is spent."""
        if self._spec.claims.leave_out(case):
            return False
        identity = _identity(case)
        if identity in self._judged:
            return self._judged[identity]
        if self._left <= 0 or monotonic() > self._stop:
            return False
        self._left -= 1
        try:
            fails = self.finding(case) is not None
        except SubjectGone:
            # what has been reached is kept
            self._left = 0
            return False
        except Exception:
            # a change that no longer makes a case of this layer
            fails = False
        self._judged[identity] = fails
        return fails


def _identity(case: Case) -> bytes:
    """A digest of everything that is handed to the layer; two different cases never have the same."""
    digest = blake2b(f"{case.protocol} {case.layout}".encode(), digest_size=16)
    for whose in (case, case.prior):
        for name, a in () if whose is None else whose.arrays.items():
            digest.update(f"{name} {a.dtype} {a.shape}".encode())
            digest.update(a.tobytes())
    return digest.digest()
