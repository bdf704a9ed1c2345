"""Counting: what many judgements of one layer say together. Sums and maxima only, so the order of the cases does not matter."""

from __future__ import annotations

import base64
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from oracle.core.case import Case
from oracle.core.compare import IMPRECISE, ULP_BUCKETS
from oracle.core.contracts import CONTRACTS, Handling, handling, tested
from oracle.core.evaluation import Finding, Judgement
from oracle.core.profiles import boundaries
from oracle.core.spec import LayerSpec
from oracle.results.buckets import extent, margin_bucket
from oracle.results.model import Depth, Result, Sample, Seen

Group = tuple[str, str]
SAMPLES = 2
"""Cases of a branch and dtype whose answers are kept, so that runs can be compared on the same input."""


@dataclass
class Row:
    """Counts of one quantity or contract of one branch and dtype."""

    n_failed: int = 0
    n_inconclusive: int = 0
    n_elements: int = 0
    n_undetermined: int = 0
    margin: float | None = None
    worst_case: int | None = None
    differs: bool = False
    margins: Counter[str] = field(default_factory=Counter)
    ulps: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(ULP_BUCKETS, np.int64))


class Failure(NamedTuple):
    """The first case, by number, that failed a row."""

    case: int
    finding: Finding


@dataclass
class GroupDepth:
    """What the cases of one branch and dtype touched."""

    n_cases: int = 0
    n_discarded: int = 0
    n_examined: int = 0
    n_answered: int = 0
    boundaries: Counter[str] = field(default_factory=Counter)
    profiles: Counter[str] = field(default_factory=Counter)
    layouts: Counter[str] = field(default_factory=Counter)
    protocols: Counter[str] = field(default_factory=Counter)
    extents: Counter[str] = field(default_factory=Counter)
    shapes: set[str] = field(default_factory=set)
    digests: set[int] = field(default_factory=set)


class Tally:
    """The sum of the judgements of one layer."""

    def __init__(self, spec: LayerSpec, layer: str = "") -> None:
        self.layer = layer or spec.name
        self._not_claimed = spec.claims.rows
        self.handled: Counter[Handling] = Counter()
        self.rows: defaultdict[tuple[str, str, str], Row] = defaultdict(Row)
        self.depths: defaultdict[Group, GroupDepth] = defaultdict(GroupDepth)
        self.failures: dict[tuple[str, str, str], Failure] = {}
        self.samples: dict[Group, list[Sample]] = {}
        self.discards: Counter[str] = Counter()
        self.given_up = ""
        self.printed = ""

    def add(self, index: int, case: Case, judgement: Judgement, examined: bool) -> None:
        """Count one judgement."""
        group = (case.branch, case.dtype)
        depth = self.depths[group]
        depth.n_cases += 1
        depth.digests.add(case.digest())
        if judgement.discarded is not None:
            depth.n_discarded += 1
            self.discards[judgement.discarded] += 1
            return
        depth.n_answered += judgement.answered
        self.handled[handling(case)] += 1
        if examined:
            _examine(depth, case)
        for c in judgement.comparisons:
            row = self.rows[(*group, c.quantity)]
            if examined:
                row.n_elements += c.n_elements
                row.n_undetermined += c.n_undetermined
            if c.inconclusive:
                row.n_inconclusive += 1
                continue
            if examined:
                row.margins[margin_bucket(c.margin)] += 1
                if c.ulps:
                    row.ulps += c.ulps
            if row.margin is None or c.margin > row.margin:
                row.margin, row.worst_case = c.margin, index
        findings = [f for f in judgement.findings if f.name not in self._not_claimed]
        for name in {f.name for f in findings}:
            self.rows[(*group, name)].n_failed += 1
        for f in findings:
            key = (*group, f.name)
            self.rows[key].differs |= not _imprecise(f)
            if key not in self.failures or index < self.failures[key].case:
                self.failures[key] = Failure(index, f)

    def wants_sample(self, case: Case) -> bool:
        """Whether a sample of this branch and dtype is still wanted. Cases come in the order of their numbers."""
        return len(self.samples.get((case.branch, case.dtype), ())) < SAMPLES

    def keep(self, sample: Sample | None) -> None:
        """Keep a sample."""
        if sample is not None:
            self.samples.setdefault((sample.branch, sample.dtype), []).append(sample)

    def leave_out(self, case: Case, why: str) -> None:
        """Count a case that was drawn and not judged."""
        depth = self.depths[(case.branch, case.dtype)]
        depth.n_cases += 1
        depth.n_discarded += 1
        self.discards[why] += 1

    def merge(self, other: Tally) -> None:
        """Add the counts of `other`."""
        self.handled += other.handled
        self.discards += other.discards
        self.given_up = self.given_up or other.given_up
        self.printed = self.printed or other.printed
        for key, row in other.rows.items():
            mine = self.rows[key]
            for name in ("n_failed", "n_inconclusive", "n_elements", "n_undetermined"):
                setattr(mine, name, getattr(mine, name) + getattr(row, name))
            mine.differs |= row.differs
            mine.margins.update(row.margins)
            mine.ulps += row.ulps
            if row.margin is not None and (mine.margin is None or (-row.margin, row.worst_case) < (-mine.margin, mine.worst_case)):
                mine.margin, mine.worst_case = row.margin, row.worst_case
        for group, depth in other.depths.items():
            mine_depth = self.depths[group]
            for name in ("n_cases", "n_discarded", "n_examined", "n_answered"):
                setattr(mine_depth, name, getattr(mine_depth, name) + getattr(depth, name))
            for name in ("boundaries", "profiles", "layouts", "protocols", "extents", "shapes", "digests"):
                getattr(mine_depth, name).update(getattr(depth, name))
        for key, failure in other.failures.items():
            if key not in self.failures or failure.case < self.failures[key].case:
                self.failures[key] = failure
        for group, samples in other.samples.items():
            both = [*self.samples.get(group, ()), *samples]
            self.samples[group] = sorted(both, key=lambda sample: sample.index)[:SAMPLES]


def _examine(depth: GroupDepth, case: Case) -> None:
    """Note what a case touches; for a share of the cases, because it costs as much as judging one."""
    depth.n_examined += 1
    touched: set[str] = set()
    for a in case.arrays.values():
        touched.update(boundaries(a))
    if "N" in str(case.dims.get("x", ())) and len(case.inputs["x"]) == 1:
        touched.add("batch-1")
    dims = case.dims.get("x", ())
    if dims and dims[-1] == "C" and case.inputs["x"].shape[-1] == 1:
        touched.add("one-class")
    depth.boundaries.update(touched)
    depth.profiles.update(set(case.profiles))
    depth.layouts[case.layout] += 1
    depth.protocols["refused" if case.refusal else case.protocol] += 1
    depth.shapes.add(" ".join("x".join(map(str, a.shape)) or "scalar" for a in case.inputs.values()))
    first = next(iter(case.inputs.values()))
    across = first.shape[-1] if first.ndim else 1
    depth.extents[f"{extent(math.prod(first.shape[:-1]))},{extent(across)}"] += 1


def results(tally: Tally, spec: LayerSpec) -> list[Result]:
    """The rows of the tally as they are stored, in the order of the spec."""
    judged: Counter[tuple[str, str, str]] = Counter()
    for how, n in tally.handled.items():
        for contract in tested(spec, how):
            judged[(how.branch, how.dtype, contract)] += n
    for (branch, dtype), depth in tally.depths.items():
        for quantity in spec.quantities:
            if quantity in spec.claims.rows:
                continue
            judged[(branch, dtype, quantity)] = depth.n_answered - tally.rows[(branch, dtype, quantity)].n_inconclusive
    order = {name: i for i, name in enumerate((*spec.branches, *spec.quantities, *CONTRACTS))}
    keys = sorted({*judged, *tally.failures}, key=lambda key: (order[key[0]], key[1], order[key[2]]))
    return [_result(tally, spec, key, judged[key]) for key in keys]


def _result(tally: Tally, spec: LayerSpec, key: tuple[str, str, str], judged: int) -> Result:
    branch, dtype, name = key
    row = tally.rows[key]
    failure = tally.failures.get(key)
    contract = CONTRACTS.get(name)
    margin = None if contract else row.margin
    if failure is not None:
        status = "error" if name == "call.answers" else "failed"
        # a row is judged by every case that failed it, also one on which not all quantities could be compared
        judged = max(judged, row.n_failed)
    else:
        status = "passed" if judged else "not-run"
    return Result(
        layer=tally.layer,
        branch=branch,
        dtype=dtype,
        quantity=name,
        role="contract" if contract else "quantity",
        status=status,  # type: ignore[arg-type]
        check_version=contract.version if contract else spec.check_version,
        n_judged=judged,
        n_failed=row.n_failed,
        n_inconclusive=row.n_inconclusive,
        n_elements=row.n_elements,
        n_undetermined=row.n_undetermined,
        margin=margin,
        worst_case=row.worst_case if margin is not None else None,
        worst_outcome=None if failure is None or margin is None else "differs" if row.differs else "imprecise",
        first_failed=None if failure is None else failure.case,
        message="" if failure is None else failure.finding.message[:500],
        margins=dict(sorted(row.margins.items())),
        ulps={f"2^{k - 1}" if 0 < k < ULP_BUCKETS - 1 else "inf" if k else "0": n for k, n in enumerate(row.ulps.tolist()) if n},
    )


def _imprecise(finding: Finding) -> bool:
    """Whether it may be an unlucky algorithm rather than another function; a wrong shape or a NaN is no matter of precision."""
    return finding.reason == "value" and finding.comparison is not None and finding.comparison.margin <= IMPRECISE


def depths(tally: Tally, known: dict[Group, GroupDepth]) -> list[Depth]:
    """What stands behind the rows; `known` holds what earlier parts of the run have counted as distinct."""
    found = []
    for (branch, dtype), depth in sorted(tally.depths.items()):
        before = known.setdefault((branch, dtype), GroupDepth())
        new_digests = depth.digests - before.digests
        new_shapes = depth.shapes - before.shapes
        before.digests |= new_digests
        before.shapes |= new_shapes
        found.append(
            Depth(
                layer=tally.layer,
                branch=branch,
                dtype=dtype,
                n_cases=depth.n_cases,
                n_distinct=len(new_digests),
                n_discarded=depth.n_discarded,
                n_examined=depth.n_examined,
                boundaries=dict(depth.boundaries),
                protocols=dict(depth.protocols),
                layouts=dict(depth.layouts),
                profiles=dict(depth.profiles),
                extents=dict(depth.extents),
                n_shapes=len(new_shapes),
            )
        )
    return found


def seen(layer: str, known: dict[Group, GroupDepth]) -> list[Seen]:
    """What tells the distinct cases and shapes of one shard from those of another."""
    return [
        Seen(
            layer=layer,
            branch=branch,
            dtype=dtype,
            cases=base64.b64encode(np.array(sorted(depth.digests), "<u8").tobytes()).decode("ascii"),
            shapes=tuple(sorted(depth.shapes)),
        )
        for (branch, dtype), depth in sorted(known.items())
    ]
