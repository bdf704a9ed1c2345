"""What a worker process does. Everything here takes and gives plain data, and names specs rather than handing them over.

torch is imported inside the functions: the parent process, which only hands out jobs and counts, starts without it.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence

import numpy as np

from oracle.core.case import Case
from oracle.core.evaluation import Finding
from oracle.core.observe import observe, watching
from oracle.core.spec import LayerSpec
from oracle.core.stored import stored_case
from oracle.results.model import ComparisonData, Counterexample
from oracle.search.numbered import case_at
from oracle.search.tally import Tally
from oracle.specs import spec_named
from oracle.subjects import subject_of

Key = tuple[str, str, str]


def prepare() -> None:
    """Start of a worker: Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def sweep_chunk(name: str, seed: int, dtypes: Sequence[str], start: int, stop: int) -> Tally:
    """Judge our own layer `name` on the cases start .. stop - 1."""
    from oracle.search.sweep import sweep

    spec = spec_named(name)
    return sweep(spec, subject_of(spec), seed, dtypes, start, stop)


def counterexample_id(layer: str, key: Key, seed: int) -> str:
    """The stable name of a divergence within runs of one seed."""
    branch, dtype, name = key
    return f"{layer}-{branch}-{dtype}-{name}-s{seed}"


def raw_counterexample(spec: LayerSpec, seed: int, dtypes: Sequence[str], index: int, key: Key, finding: Finding) -> Counterexample:
    """The failing case as it was drawn, before it is made smaller. Needs no torch."""
    found = finding.comparison
    return _counterexample(
        spec,
        seed,
        index,
        key,
        finding,
        case_at(spec, seed, dtypes, index),
        ComparisonData(reason=finding.reason, message=finding.message, margin=None if found is None else found.margin),
    )


def minimised(name: str, seed: int, dtypes: Sequence[str], index: int, key: Key) -> Counterexample | None:
    """The failing case `index` made small, explained, and with code that shows it; None if it does not fail when run again."""
    from oracle.search.explain import explained, snippet
    from oracle.search.minimise import Minimiser

    spec = spec_named(name)
    subject = subject_of(spec)
    case = case_at(spec, seed, dtypes, index)
    finding = _finding(spec, case, key[2])
    if finding is None:
        return None
    search = Minimiser(spec, subject, finding.key)
    small = search.smaller(case)
    with np.errstate(all="ignore"):
        small_finding = search.finding(small) or finding
    raw = _counterexample(spec, seed, index, key, finding, case, explained(spec, subject, case, finding))
    with watching():
        evaluation = observe(subject, small).evaluation
    answers = dict(zip(spec.quantities, evaluation.outputs + evaluation.grads, strict=False))
    return raw.model_copy(
        update={
            "minimised": stored_case(small),
            "minimised_comparison": explained(spec, subject, small, small_finding),
            "snippet": snippet(spec, small, small_finding, answers),
        }
    )


def _finding(spec: LayerSpec, case: Case, name: str) -> Finding | None:
    from oracle.core.judge import judge

    return next((f for f in judge(spec, subject_of(spec), case, measure=True).findings if f.name == name), None)


def _counterexample(
    spec: LayerSpec, seed: int, index: int, key: Key, finding: Finding, case: Case, comparison: ComparisonData
) -> Counterexample:
    branch, dtype, name = key
    identity = counterexample_id(spec.name, key, seed)
    return Counterexample(
        id=identity,
        layer=spec.name,
        branch=branch,
        dtype=dtype,
        quantity=name,
        role="quantity" if finding.role == "quantity" else "contract",
        seed=seed,
        index=index,
        case=stored_case(case),
        comparison=comparison,
        replay=f"gradconform replay {identity}",
    )
