"""What a run declares before it begins: who is judged against what, and which rows there will be."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from oracle.core.contracts import CONTRACTS, SUBJECT_LOADS, declared
from oracle.core.profiles import BOUNDARIES
from oracle.core.spec import LayerSpec
from oracle.results import SCHEMA_VERSION, CaseData, ContractInfo, Environment, Expected, Gate, Header, LayerInfo, Note, Result, Settings
from oracle.search.corpus import Kept
from oracle.search.entrant import Entrant, Rejected
from oracle.search.planted import n_planted
from oracle.search.source import source_of


@dataclass(frozen=True)
class Plan:
    """All that a run sets out to do.

    rejected: what could not be entered, for the record; so are `notes`. label: what the run is called among others. vetted: whether it
    also judges planted faults and the oracle itself. gate: what it is held to. kept: stored cases, which are judged before all others.
    """

    entrants: tuple[Entrant, ...]
    settings: Settings
    environment: Environment
    command: str
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[Note, ...] = ()
    label: str = ""
    vetted: bool = True
    gate: Gate | None = None
    kept: tuple[Kept, ...] = ()

    @property
    def vets(self) -> bool:
        """Whether this run, or this shard of it, judges planted faults and the oracle."""
        return self.vetted and self._leads

    def stored_for(self, label: str) -> list[tuple[int, CaseData]]:
        """The stored cases of a layer with their places in the corpus. Of several shards the first one judges them."""
        return [(place, kept.case) for place, kept in enumerate(self.kept) if kept.layer == label and self._leads]

    @property
    def _leads(self) -> bool:
        return self.settings.shard is None or self.settings.shard[0] == 1


def header(plan: Plan) -> Header:
    """The first line of the results."""
    settings, rejected = plan.settings, plan.rejected
    judged = [(entrant, entrant.judged_by()) for entrant in plan.entrants]
    contracts = (*CONTRACTS.values(), *((SUBJECT_LOADS,) if rejected else ()))
    return Header(
        schema_version=SCHEMA_VERSION,
        run_id=uuid.uuid4().hex,
        started=now(),
        command=plan.command,
        environment=plan.environment,
        settings=settings,
        layers=(*[_layer(entrant, spec) for entrant, spec in judged], *[_rejected(r) for r in rejected]),
        contracts=tuple(ContractInfo(id=c.id, version=c.version, explanation=c.explanation) for c in contracts),
        expected=tuple(
            Expected(layer=entrant.label, branch=branch, dtype=dtype, quantity=name)
            for entrant, spec in judged
            for branch in spec.branches
            for dtype in dtypes_of(spec, settings)
            for name in _rows(spec, branch)
        ),
        boundaries=BOUNDARIES,
        n_planted=sum(n_planted(spec, dtypes_of(spec, settings)) for _, spec in judged) if plan.vets else None,
        gate=plan.gate,
        corpus=tuple(kept.digest for kept in plan.kept),
        label=plan.label,
    )


def now() -> str:
    """The time, as the results give it."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def dtypes_of(spec: LayerSpec, settings: Settings) -> tuple[str, ...]:
    """The dtypes of the run that the subject claims."""
    return tuple(d for d in settings.dtypes if d not in spec.claims.dtypes)


def _rows(spec: LayerSpec, branch: str) -> list[str]:
    return [name for name in (*spec.quantities, *declared(spec, branch)) if name not in spec.claims.rows]


def _layer(entrant: Entrant, spec: LayerSpec) -> LayerInfo:
    target, whole = entrant.target, entrant.whole()
    return LayerInfo(
        name=entrant.label,
        subject=entrant.name or f"{spec.layer.__module__}.{spec.layer.__qualname__}",
        torch="\n".join(dict.fromkeys(spec.expression(branch) for branch in spec.branches)),
        summary=spec.summary,
        check_version=spec.check_version,
        branches=whole.branches,
        quantities=whole.quantities,
        contracts=tuple(dict.fromkeys(c for branch in whole.branches for c in declared(whole, branch))),
        spec=entrant.spec,
        target="" if target is None else target.text,
        convention=f"{entrant.convention}{': ' if entrant.details else ''}{entrant.details}" if entrant.convention else "",
        search_path=entrant.search_path,
        not_claimed=entrant.not_claimed,
        source=source_of(entrant),
    )


def _rejected(r: Rejected) -> LayerInfo:
    return LayerInfo(
        name=r.label,
        subject=r.target,
        torch="",
        summary="",
        check_version=0,
        branches=(),
        quantities=(),
        contracts=(SUBJECT_LOADS.id,),
        spec=r.spec,
        target=r.target,
    )


def rejection(r: Rejected) -> Result:
    """The one row of a subject that could not be judged at all."""
    return Result(
        layer=r.label,
        branch="-",
        dtype="-",
        quantity=SUBJECT_LOADS.id,
        role="contract",
        status="error",
        check_version=SUBJECT_LOADS.version,
        n_judged=1,
        n_failed=1,
        message=r.message[:2000],
    )


def not_claimed(entrant: Entrant, settings: Settings) -> Iterator[Result]:
    """The rows that the spec has and that the entrant does not claim."""
    whole, spec = entrant.whole(), entrant.judged_by()
    claimed = {(b, d, name) for b in spec.branches for d in dtypes_of(spec, settings) for name in _rows(spec, b)}
    for branch in whole.branches:
        for dtype in settings.dtypes:
            for name in _rows(whole, branch):
                if (branch, dtype, name) not in claimed:
                    contract = CONTRACTS.get(name)
                    yield Result(
                        layer=entrant.label,
                        branch=branch,
                        dtype=dtype,
                        quantity=name,
                        role="contract" if contract else "quantity",
                        status="not-claimed",
                        check_version=contract.version if contract else whole.check_version,
                        n_judged=0,
                        n_failed=0,
                        message=entrant.forward_only,
                    )
