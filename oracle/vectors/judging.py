"""Judging by vectors: what the search does, on recorded cases, with recorded answers. Neither torch nor Hypothesis is imported."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from oracle.core.case import Case
from oracle.core.evaluation import Evaluation
from oracle.core.expected import NotRecorded, answered_by
from oracle.core.judge import decide
from oracle.core.observe import SubjectGone, observations, watching
from oracle.core.spec import LayerSpec
from oracle.results import Footer, Note, Result, ResultsWriter
from oracle.results.model import Record
from oracle.search import jobs
from oracle.search.declaration import Plan, header, not_claimed, now, rejection
from oracle.search.entrant import Entrant, assignment, dismiss
from oracle.search.lanes import first_of_each
from oracle.search.samples import is_sample, sample
from oracle.search.tally import Tally, depths, results
from oracle.subjects.conventions import ConventionError
from oracle.subjects.loading import LoadError
from oracle.vectors.manifest import Manifest
from oracle.vectors.reading import Vector, read_vectors

BLOCK = 32
"""Cases that a subject in another process is sent at a time."""
NOT_JUDGED = "vectors not judged"
"""Title of the note on vectors that the layer could not be judged by."""

Progress = Callable[[str, int], None]


class Answers:
    """Torch's recorded answers, by the question: the branch and the arrays, however they are handed over."""

    def __init__(self, vectors: Sequence[Vector]) -> None:
        self._known = {_question(v.case): v.expected for v in vectors}

    def __call__(self, spec: LayerSpec, case: Case) -> Evaluation:
        """The answer to `case`. Raises NotRecorded."""
        try:
            return self._known[_question(case)]
        except KeyError:
            raise NotRecorded(f"no answer to this case of {spec.name} was recorded") from None


def _question(case: Case) -> bytes:
    digest = hashlib.sha256(f"{case.branch} {sorted(case.config.items())}".encode())
    for name, a in case.arrays.items():
        digest.update(f"{name} {a.dtype} {a.shape}".encode() + a.tobytes())
    return digest.digest()


def n_vectors(entrant: Entrant, manifest: Manifest, dtypes: Sequence[str]) -> int:
    """How many cases `entrant` is judged by: those of its layer in `dtypes`."""
    return sum(case.dtype in dtypes for layer in manifest.layers if layer.layer == entrant.spec for case in layer.cases)


def judge_by_vectors(plan: Plan, folder: Path, manifest: Manifest, path: Path, progress: Progress) -> None:
    """Judge the entrants of `plan` by the vectors of `folder` and write the results to `path`, as `campaign` does.

    Ctrl-C leaves what was found. Raises VectorsError, ResultsError.
    """
    began = time.monotonic()
    outcome, message = "complete", ""
    with ResultsWriter(path, header(plan)) as writer:
        for record in (*[rejection(r) for r in plan.rejected], *plan.notes):
            writer.write(record)
        try:
            for entrant in plan.entrants:
                for record in _judged(entrant, plan, folder, manifest, progress):
                    writer.write(record)
        except KeyboardInterrupt:
            outcome, message = "interrupted", "stopped by the user"
        finally:
            dismiss()
        writer.write(Footer(finished=now(), seconds=time.monotonic() - began, outcome=outcome, message=message))  # type: ignore[arg-type]


def _judged(entrant: Entrant, plan: Plan, folder: Path, manifest: Manifest, progress: Progress) -> Iterator[Record]:
    spec = entrant.judged_by()
    yield from not_claimed(entrant, plan.settings)
    layer = next((found for found in manifest.layers if found.layer == spec.name), None)
    if layer is None:
        yield Note(layer=entrant.label, title=NOT_JUDGED, text=f"{folder} holds no vectors of {spec.name}.")
        return
    if layer.check_version != spec.check_version:
        why = f"they were recorded for version {layer.check_version} of the check of {spec.name}, which is {spec.check_version} now"
        yield Note(layer=entrant.label, title=NOT_JUDGED, text=f"{why}. Record them again with `gradconform record`.")
        return
    vectors = list(read_vectors(folder, layer))
    asked = [v for v in vectors if _concerns(spec, v.case, plan.settings.dtypes)]
    tally = tally_of(entrant, spec, vectors, asked, lambda n: progress(entrant.label, n))
    if tally.given_up:
        yield Note(layer=entrant.label, title="given up", text=tally.given_up)
    yield from _replayed(results(tally, spec))
    yield from depths(tally, {})
    for samples in tally.samples.values():
        yield from samples
    cases = {v.told.n: v.case for v in vectors}
    for key, failure in first_of_each(tally.failures):
        name = f"{entrant.label}-{'-'.join(key)}-vector{failure.case}"
        found = jobs.as_it_is(entrant, manifest.seed, failure.case, key, failure.finding, cases[failure.case], name)
        yield found.model_copy(update={"lane": "corpus"})


def _concerns(spec: LayerSpec, case: Case, dtypes: Sequence[str]) -> bool:
    claimed = case.branch in spec.branches and case.dtype in dtypes and case.dtype not in spec.claims.dtypes
    return claimed and (not spec.claims.values or spec.claims.leave_out(case) is None)


def tally_of(entrant: Entrant, spec: LayerSpec, known: Sequence[Vector], asked: Sequence[Vector], done: Callable[[int], None]) -> Tally:
    """What `entrant` makes of the vectors `asked`, counted; `known` are all those whose answers may be looked up."""
    tally = Tally(spec, entrant.label)
    try:
        subject = assignment(entrant).subject
        with watching(), answered_by(Answers(known)), np.errstate(all="ignore"):
            for start in range(0, len(asked), BLOCK):
                block = asked[start : start + BLOCK]
                for vector, seen in zip(block, observations(subject, [v.case for v in block]), strict=True):
                    index, case = vector.told.n, vector.case
                    tally.add(index, case, decide(spec, subject, case, vector.expected, seen, True), True)
                    if is_sample(index, case) and tally.wants_sample(case):
                        tally.keep(sample(spec, entrant.label, index, case, seen.evaluation, vector.expected))
                done(len(block))
    except (LoadError, ConventionError, SubjectGone) as error:
        tally.given_up = str(error)
    return tally


def _replayed(rows: Sequence[Result]) -> Iterator[Result]:
    for row in rows:
        yield row.model_copy(update={"n_replayed": row.n_judged, "n_replay_failed": row.n_failed})
