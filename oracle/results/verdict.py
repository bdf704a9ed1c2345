"""From a run to one sentence and one exit code, the same in the terminal, the page and CI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from oracle.results.gate import problems
from oracle.results.model import Expected, Health, Planted, Result, Run

NAMED = 3
"""Layers, entries or gaps that the sentence names; of more it gives the number."""
ENOUGH = 1000
"""Examples of each layer; with fewer a planted fault may live because no case has touched what it spoils."""
NOT_REPLAYED = "not replayed"
"""Title of the note on a stored case that could not be judged."""


class Verdict(NamedTuple):
    """What a run says. `exit_code`: 0 conformant, 1 diverges, 3 incomplete (2 is a usage error and never comes from a run).

    failing: rows that decide for 1: not listed, or listed in vain. known: rows that are listed and fail. problems: what is wrong with
    the list. newly_found: of the failing rows those of which every stored case holds. gaps: why there is less than was declared.
    """

    outcome: Literal["conforms", "diverges", "incomplete"]
    exit_code: int
    sentence: str
    failing: tuple[Result, ...]
    missing: tuple[Expected, ...]
    known: tuple[Result, ...] = ()
    problems: tuple[str, ...] = ()
    newly_found: tuple[Result, ...] = ()
    gaps: tuple[str, ...] = ()


def verdict(run: Run) -> Verdict:
    """Decide what `run` says.

    A run diverges when any row failed that is not listed as known, when any subject could not be judged for an error of its own, or
    when the list is wrong. It is incomplete when it has no footer, was interrupted, judged nothing, left a declared row unjudged, fell
    short of the gate's floor, or has shown that it could not have seen a fault: an incomplete run is never green. A divergence that an
    incomplete run has found is still a divergence, so it decides the exit code; the sentence says both.
    """
    failing = tuple(r for r in run.results if r.status in ("failed", "stale", "error"))
    judged = {r.key for r in run.results if r.n_judged}
    known = tuple(r for r in run.results if r.status == "known")
    missing = _missing(run, judged)
    gaps, wrong = tuple(_gaps(run, missing, bool(judged))), problems(run)
    new = _newly_found(run, failing)
    rest = (failing, missing, known, wrong, new, gaps)
    if failing or wrong:
        told = [*_divergences(failing, len(judged), known, new), *_in_short(wrong, "entry of the list", "entries of the list"), *gaps]
        return Verdict("diverges", 1, " ".join(told), *rest)
    if gaps:
        return Verdict("incomplete", 3, " ".join(["No verdict.", *gaps]), *rest)
    layers = list(dict.fromkeys(r.layer for r in run.results if r.n_judged))
    cases = sum(d.n_cases for d in run.depths)
    subject = f"{layers[0]} conforms" if len(layers) == 1 else f"All {len(layers)} layers conform"
    but = f", but for {counted(len(known), 'known divergence')}" if known else ""
    sentence = f"{subject} to PyTorch in every one of {len(judged) - len(known)} rows over {cases:,} cases{but}."
    return Verdict("conforms", 0, sentence, *rest)


def _missing(run: Run, judged: set[tuple[str, str, str, str]]) -> tuple[Expected, ...]:
    # where a layer raised in every case there was nothing to compare; the error row says so, also where it is known
    raised = {
        (r.layer, r.branch, r.dtype) for r in run.results if r.status == "error" or (r.status == "known" and r.quantity == "call.answers")
    }
    return tuple(
        e
        for e in run.header.expected
        if (e.layer, e.branch, e.dtype, e.quantity) not in judged and (e.layer, e.branch, e.dtype) not in raised
    )


def _newly_found(run: Run, failing: Sequence[Result]) -> tuple[Result, ...]:
    """Rows that fail in the fresh search alone, while stored cases were replayed."""
    return tuple(r for r in failing if run.header.corpus and r.status != "stale" and r.n_failed and not r.n_replay_failed)


def _divergences(failing: Sequence[Result], n_judged: int, known: Sequence[Result], new: Sequence[Result]) -> list[str]:
    """Which layers diverge, and what is to be said of how that was found."""
    rows = [r for r in failing if r.status != "stale"]
    if not rows:
        return ["The list of known divergences is out of date."]
    names = list(dict.fromkeys(r.layer for r in rows))
    verb = "diverges" if len(names) == 1 else "diverge"
    told = [f"{some_of(names)} {verb} from PyTorch in {counted(len(rows), 'row')} of {n_judged}."]
    if new:
        told.append(f"{counted(len(new), 'row')} newly found: every stored case of {'it' if len(new) == 1 else 'them'} holds.")
    if known:
        told.append(f"{counted(len(known), 'known divergence')} besides.")
    return told


def _gaps(run: Run, missing: tuple[Expected, ...], any_judged: bool) -> list[str]:
    """Reasons for which the run is incomplete, as sentences."""
    gaps = []
    complete = run.footer is not None and run.footer.outcome == "complete"
    if run.footer is None:
        gaps.append("The run was cut off before its end.")
    elif not complete:
        happened = "was interrupted" if run.footer.outcome == "interrupted" else "broke off"
        gaps.append(f"The run {happened}{': ' + run.footer.message if run.footer.message else ''}.")
    if run.n_damaged:
        gaps.append(f"{counted(run.n_damaged, 'line')} of the results file could not be read.")
    if not any_judged:
        gaps.append("Nothing was judged.")
    elif missing:
        first = missing[0]
        rest = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        told = f"{counted(len(missing), 'declared row')} never judged: {first.layer} {first.branch} {first.dtype} {first.quantity}{rest}."
        gaps.append(f"{told} More examples reach them." if complete else told)
    return [*gaps, *_not_replayed(run), *_below_floor(run), *_blind(run, complete), *_oracle(run.health)]


def _not_replayed(run: Run) -> list[str]:
    notes = [f"{note.text.rstrip('.')}." for note in run.notes if note.title == NOT_REPLAYED]
    return [f"{counted(len(notes), 'stored case')} not replayed.", *_in_short(notes, "stored case", "stored cases")] if notes else []


def _below_floor(run: Run) -> list[str]:
    """Layers, branches and dtypes of which fewer cases were judged than the gate asks for."""
    if run.header.gate is None or run.header.settings.shard is not None:
        return []  # a shard has its share of the cases; all of them together must reach the floor
    floor = run.header.gate.floor
    groups = dict.fromkeys((e.layer, e.branch, e.dtype) for e in run.header.expected)
    cases = {(d.layer, d.branch, d.dtype): d.n_cases - d.n_discarded for d in run.depths}
    low = [f"{' '.join(group)} ({n:,})" for group in groups if (n := max(cases.get(group, 0), 0)) < floor]
    return [f"Fewer than {floor:,} cases judged, which is the floor, in {some_of(low)}. More examples reach it."] if low else []


def _blind(run: Run, complete: bool) -> list[str]:
    """What the planted faults say against the run: some went unnoticed, or were not tried."""
    survivors = [p for p in run.planted if not p.convicted]
    told = []
    if survivors:
        of = max(run.header.n_planted or 0, len(run.planted))
        told.append(
            f"{len(survivors)} of {counted(of, 'planted fault')} went unnoticed: this run is blind to {some_of(_told_apart(survivors))}."
        )
        if run.header.settings.examples < ENOUGH:
            few = f"{counted(run.header.settings.examples, 'example')} may be too few to reach {'it' if len(survivors) == 1 else 'them'}"
            told.append(f"{few}: judge {ENOUGH:,} of each layer, or more.")
    untried = (run.header.n_planted or 0) - len(run.planted)
    if untried > 0 and complete:
        told.append(f"{untried} of {counted(run.header.n_planted or 0, 'planted fault')} {'was' if untried == 1 else 'were'} never tried.")
    return told


def _told_apart(survivors: Sequence[Planted]) -> list[str]:
    return list(dict.fromkeys(f"{p.layer}: {p.fault.rstrip('.')}" for p in survivors))


def _oracle(health: Sequence[Health]) -> list[str]:
    """Where the oracle contradicts itself."""
    wrong = list(dict.fromkeys(f"{h.layer} {h.branch} {h.quantity}" for h in health if h.n_wrong))
    return [f"torch.autograd disagrees with differences of its own forward in {some_of(wrong)}."] if wrong else []


def some_of(names: Sequence[str]) -> str:
    """At most three names, and how many more there are."""
    return ", ".join(names) if len(names) <= NAMED else f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def _in_short(sentences: Sequence[str], noun: str, plural: str) -> list[str]:
    """At most three sentences, and how many more there are."""
    more = len(sentences) - NAMED
    return [*sentences[:NAMED], *([f"And {more} more {noun if more == 1 else plural}."] if more > 0 else [])]


def counted(n: int, noun: str) -> str:
    """A number with its noun: ``1 row``, ``2 rows``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
