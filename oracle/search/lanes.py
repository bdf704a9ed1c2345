"""The strict lane of a gate: stored cases judged again, before anything new is searched for.

Every one is judged and measured, and what cannot be judged is told: it counts as less than was declared. What this finds goes into the
same rows as the search, as parts of their own, since its numbers are places in the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from oracle.core.judge import judge
from oracle.core.observe import SubjectGone
from oracle.core.spec import LayerSpec
from oracle.core.stored import restored_case
from oracle.results import CaseData, Counterexample, Note, Result
from oracle.results.verdict import NOT_REPLAYED
from oracle.search import jobs
from oracle.search.corpus import Corpus
from oracle.search.entrant import Entrant, assignment
from oracle.search.tally import Failure, Tally, results
from oracle.subjects.conventions import ConventionError
from oracle.subjects.loading import LoadError

Place = tuple[int, CaseData]
"""A stored case and its number in the corpus."""


class Replayed(NamedTuple):
    """What a worker made of some stored cases: the counts, and why any of them could not be judged."""

    tally: Tally
    refused: tuple[tuple[int, str], ...]


def replay_stored(entrant: Entrant, places: Sequence[Place]) -> Replayed:
    """Judge `entrant` on stored cases; a worker's job."""
    refused: list[tuple[int, str]] = []
    tally = Tally(entrant.judged_by(), entrant.label)
    try:
        _, spec, subject = assignment(entrant)
    except (LoadError, ConventionError, SubjectGone) as error:
        return Replayed(tally, tuple((place, str(error)) for place, _ in places))
    for place, data in places:
        why = _unfit(spec, data)
        if not why:
            try:
                case = restored_case(data)
                judgement = judge(spec, subject, case, measure=True)
                why = judgement.discarded or ""
                if not why:
                    tally.add(place, case, judgement, True)
            except SubjectGone as gone:
                why = str(gone)
            except Exception as error:
                # a file may hold any arrays at all: what the judge makes of those that fit no layer is told, whatever it is
                why = f"it does not fit the layer: {type(error).__name__}: {error}"
        if why:
            refused.append((place, why))
    return Replayed(tally, tuple(refused))


def _unfit(spec: LayerSpec, data: CaseData) -> str:
    """Why a stored case is none of this layer's; empty where it is one."""
    if data.layer != spec.name:
        return f"it is a case of {data.layer}, and the layer is judged as {spec.name}"
    if data.branch not in spec.branches:
        return f"the layer has no branch {data.branch} that it claims"
    if data.dtype in spec.claims.dtypes or data.dtype not in spec.dtypes:
        return f"the layer does not claim {data.dtype}"
    return spec.claims.leave_out(restored_case(data)) or ""


def rows(replayed: Tally, spec: LayerSpec) -> Iterator[Result]:
    """The rows of replayed cases. The numbers of their cases are left out: in a row they would be taken for the search's."""
    for row in results(replayed, spec):
        yield row.model_copy(update={"n_replayed": row.n_judged, "n_replay_failed": row.n_failed, "worst_case": None, "first_failed": None})


def first_of_each(failures: dict[jobs.Key, Failure]) -> list[tuple[jobs.Key, Failure]]:
    """Of the rows that fail in the same way the one with the lowest number, which is explained and stands for the others."""
    found: dict[tuple[str, str], tuple[jobs.Key, Failure]] = {}
    for key, failure in sorted(failures.items(), key=lambda item: (item[1].case, item[0])):
        found.setdefault((key[2], failure.finding.reason), (key, failure))
    return list(found.values())


def raw_stored(entrant: Entrant, seed: int, key: jobs.Key, failure: Failure, data: CaseData) -> Counterexample:
    """A stored case that fails, as it was stored. Needs no torch."""
    found = jobs.as_it_is(entrant, seed, failure.case, key, failure.finding, restored_case(data), _identity(entrant, key, data))
    return found.model_copy(update={"lane": "corpus"})


def explained_stored(entrant: Entrant, seed: int, place: int, key: jobs.Key, data: CaseData) -> Counterexample | None:
    """A stored case that fails, made small and explained; a worker's job. None if it does not fail when run again."""
    found = jobs.made_small(entrant, seed, place, key, restored_case(data), _identity(entrant, key, data))
    return None if found is None else found.model_copy(update={"lane": "corpus"})


def _identity(entrant: Entrant, key: jobs.Key, data: CaseData) -> str:
    return f"{entrant.label}-{'-'.join(key)}-{data.digest}"


def not_replayed(layer: str, digest: str, why: str) -> Note:
    """The note on a stored case that was not judged."""
    return Note(layer=layer, title=NOT_REPLAYED, text=f"The stored case {digest} of {layer}: {why}"[:2000])


def strays(corpus: Corpus, labels: Sequence[str]) -> list[Note]:
    """A note for each file that holds no case, and for each case of a layer that is not judged."""
    notes = [Note(layer="corpus", title=NOT_REPLAYED, text=text[:2000]) for text in corpus.unusable]
    others = (kept for kept in corpus.cases if kept.layer not in labels)
    return [*notes, *(not_replayed(kept.layer, kept.digest, "this gate judges no such layer") for kept in others)]
