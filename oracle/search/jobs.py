"""What a worker process does. Everything here takes and gives plain data, and names specs rather than handing them over.

torch is imported inside the functions: the parent process, which only hands out jobs and counts, starts without it.
"""

from __future__ import annotations

import multiprocessing
import os
import shlex
import signal
import threading
from collections.abc import Sequence

import numpy as np

from oracle.core.case import Case
from oracle.core.evaluation import Evaluation, Finding
from oracle.core.observe import Judged, SubjectGone, observe, watching
from oracle.core.spec import LayerSpec
from oracle.core.stored import stored_case
from oracle.results.model import ComparisonData, Counterexample, Health, Planted, Worst
from oracle.search.entrant import Entrant, assignment, dismiss
from oracle.search.numbered import case_at
from oracle.search.tally import Tally
from oracle.subjects.conventions import ConventionError
from oracle.subjects.isolated import Isolated
from oracle.subjects.loading import LoadError

Key = tuple[str, str, str]
UNANSWERABLE = (ArithmeticError, LookupError, TypeError, ValueError)
"""What an experiment raises that a layer cannot be put through: its answer has changed meanwhile, or is none."""
UNSTEADY = (
    "the layer does not give the same answer twice to the same case on a fresh object: it is random, or keeps something outside its objects"
)


def prepare() -> None:
    """Start of a worker: Ctrl-C is the parent's to handle. A worker that is ended, or has lost its parent, leaves no subject behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _leave())
    threading.Thread(target=_outlived, daemon=True).start()


def _outlived() -> None:
    """Wait for the parent's end. A pool's worker would wait for the next job for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        _leave()


def _leave() -> None:
    dismiss()
    os._exit(1)


def sweep_chunk(entrant: Entrant, seed: int, dtypes: Sequence[str], start: int, stop: int) -> Tally:
    """Judge `entrant` on the cases start .. stop - 1."""
    from oracle.search.sweep import sweep

    try:
        _, spec, subject = assignment(entrant)
    except (LoadError, ConventionError, SubjectGone) as error:
        tally = Tally(entrant.judged_by(), entrant.label)
        tally.given_up = str(error)
        return tally
    tally = sweep(spec, subject, seed, dtypes, start, stop, entrant.label)
    tally.printed = subject.output if isinstance(subject, Isolated) else ""
    return tally


def worst(entrant: Entrant, seed: int, dtypes: Sequence[str], index: int, quantity: str) -> Worst | None:
    """The case `index` as the one with the largest margin of `quantity`; None if the subject does not answer it again."""
    from oracle.search.samples import worst_case

    try:
        _, spec, subject = assignment(entrant)
        return worst_case(spec, subject, entrant.label, seed, index, case_at(spec, seed, dtypes, index), quantity)
    except (LoadError, ConventionError, SubjectGone, *UNANSWERABLE):
        return None


def planted(entrant: Entrant, seed: int, dtypes: Sequence[str], examples: int) -> list[Planted]:
    """What became of the faults planted in a layer that is judged as `entrant` is."""
    from oracle.search.planted import planted_in

    return list(planted_in(entrant.judged_by(), entrant.label, seed, dtypes, examples))


def health(entrant: Entrant, seed: int, dtypes: Sequence[str], examples: int) -> list[Health]:
    """Whether autograd agrees with differences of torch's forward, on cases of this run."""
    from oracle.search.health import health_of

    return list(health_of(entrant.judged_by(), entrant.label, seed, dtypes, examples))


def counterexample_id(layer: str, key: Key, seed: int) -> str:
    """The stable name of a divergence within runs of one seed."""
    branch, dtype, name = key
    return f"{layer}-{branch}-{dtype}-{name}-s{seed}"


def raw_counterexample(entrant: Entrant, seed: int, dtypes: Sequence[str], index: int, key: Key, finding: Finding) -> Counterexample:
    """The failing case as it was drawn, before it is made smaller. Needs no torch."""
    return as_it_is(entrant, seed, index, key, finding, case_at(entrant.judged_by(), seed, dtypes, index))


def as_it_is(entrant: Entrant, seed: int, index: int, key: Key, finding: Finding, case: Case, identity: str = "") -> Counterexample:
    """A failing case and the little that is known of it. identity: a name other than that of a case that was searched for."""
    found = finding.comparison
    told = ComparisonData(reason=finding.reason, message=finding.message, margin=None if found is None else found.margin)
    return _counterexample(entrant, seed, index, key, finding, case, told, identity)


def minimised(entrant: Entrant, seed: int, dtypes: Sequence[str], index: int, key: Key) -> Counterexample | None:
    """The failing case `index` made small and explained, with its cause and code that shows it; see `made_small`."""
    return made_small(entrant, seed, index, key, case_at(entrant.judged_by(), seed, dtypes, index))


def made_small(entrant: Entrant, seed: int, index: int, key: Key, case: Case, identity: str = "") -> Counterexample | None:
    """A failing case made small and explained.

    None if it does not fail when run again, or if the subject did not survive it: then it is left as it is.
    """
    from oracle.search.explain import explained

    try:
        _, spec, subject = assignment(entrant)
        finding = _finding(spec, subject, case, key[2])
        if finding is None or finding.reason == "died":
            return None
        raw = _counterexample(entrant, seed, index, key, finding, case, explained(spec, subject, case, finding), identity)
        if _changes_its_mind(subject, case):
            # what is seen in one answer is not there in the next
            return raw.model_copy(update={"diagnosis": UNSTEADY})
        return raw.model_copy(update=_readable(spec, subject, case, finding, key, seed))
    except (LoadError, ConventionError, SubjectGone, *UNANSWERABLE):
        return None


def _changes_its_mind(subject: Judged, case: Case) -> bool:
    """Whether the same case, handed over in the same way to fresh objects, has more than one answer."""
    with watching():
        answers = {_bytes(observe(subject, case).evaluation) for _ in range(3)}
    return len(answers) > 1


def _bytes(evaluation: Evaluation) -> tuple[object, ...]:
    return (evaluation.error, *[(a.shape, a.dtype.str, a.tobytes()) for a in (*evaluation.outputs, *evaluation.grads)])


def _readable(spec: LayerSpec, subject: Judged, case: Case, finding: Finding, key: Key, seed: int) -> dict[str, object]:
    """The smallest case, what is seen in it, its cause, and code that shows it."""
    from oracle.search.diagnose import diagnose
    from oracle.search.explain import explained, snippet
    from oracle.search.minimise import Minimiser

    search = Minimiser(spec, subject, finding.key)
    small = search.smaller(case)
    with np.errstate(all="ignore"):
        small_finding = search.finding(small) or finding
    with watching():
        evaluation = observe(subject, small).evaluation
    answers = dict(zip(spec.quantities, evaluation.outputs + evaluation.grads, strict=False))
    try:
        cause = diagnose(spec, subject, finding.key, key[0], key[1], case, seed)
    except UNANSWERABLE:
        # an experiment that this layer cannot be put through gives no cause; the divergence stands
        cause = None
    return {
        "minimised": stored_case(small),
        "minimised_comparison": explained(spec, subject, small, small_finding),
        "snippet": snippet(spec, small, small_finding, answers),
        "diagnosis": None if cause is None else cause.sentence,
    }


def _finding(spec: LayerSpec, subject: Judged, case: Case, name: str) -> Finding | None:
    from oracle.core.judge import judge

    return next((f for f in judge(spec, subject, case, measure=True).findings if f.name == name), None)


def _counterexample(
    entrant: Entrant, seed: int, index: int, key: Key, finding: Finding, case: Case, comparison: ComparisonData, identity: str
) -> Counterexample:
    branch, dtype, name = key
    identity = identity or counterexample_id(entrant.label, key, seed)
    where = "" if entrant.target is None else f" --target {shlex.quote(entrant.target.text)}"
    return Counterexample(
        id=identity,
        layer=entrant.label,
        branch=branch,
        dtype=dtype,
        quantity=name,
        role="quantity" if finding.role == "quantity" else "contract",
        seed=seed,
        index=index,
        case=stored_case(case),
        comparison=comparison,
        replay=f"gradconform replay {shlex.quote(identity)}{where}",
    )
