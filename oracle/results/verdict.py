"""From a run to one sentence and one exit code, the same in the terminal, the page and CI."""

from __future__ import annotations

from typing import Literal, NamedTuple

from oracle.results.model import Expected, Result, Run

NAMED = 3
"""Layers that the sentence names; of more it gives the number."""


class Verdict(NamedTuple):
    """What a run says. `exit_code`: 0 conformant, 1 diverges, 3 incomplete (2 is a usage error and never comes from a run)."""

    outcome: Literal["conforms", "diverges", "incomplete"]
    exit_code: int
    sentence: str
    failing: tuple[Result, ...]
    missing: tuple[Expected, ...]


def verdict(run: Run) -> Verdict:
    """Decide what `run` says.

    A run diverges when any row failed or any subject could not be judged for an error of its own. It is incomplete when it has no
    footer, was interrupted, judged nothing, or left a declared row unjudged: an incomplete run is never green. A divergence that an
    incomplete run has found is still a divergence, so it decides the exit code; the sentence says both.
    """
    failing = tuple(r for r in run.results if r.status in ("failed", "stale", "error"))
    judged = {r.key for r in run.results if r.n_judged}
    # where a layer raised in every case there was nothing to compare; the error row says so
    raised = {(r.layer, r.branch, r.dtype) for r in run.results if r.status == "error"}
    missing = tuple(
        e
        for e in run.header.expected
        if (e.layer, e.branch, e.dtype, e.quantity) not in judged and (e.layer, e.branch, e.dtype) not in raised
    )
    gaps = _gaps(run, missing, bool(judged))
    if failing:
        names = list(dict.fromkeys(r.layer for r in failing))
        told = ", ".join(names) if len(names) <= NAMED else f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
        verb = "diverges" if len(names) == 1 else "diverge"
        sentence = f"{told} {verb} from PyTorch in {_count(len(failing), 'row')} of {len(judged)}."
        return Verdict("diverges", 1, " ".join([sentence, *gaps]), failing, missing)
    if gaps:
        return Verdict("incomplete", 3, " ".join(["No verdict.", *gaps]), failing, missing)
    layers = list(dict.fromkeys(r.layer for r in run.results if r.n_judged))
    cases = sum(d.n_cases for d in run.depths)
    subject = f"{layers[0]} conforms" if len(layers) == 1 else f"All {len(layers)} layers conform"
    return Verdict("conforms", 0, f"{subject} to PyTorch in every one of {len(judged)} rows over {cases:,} cases.", failing, missing)


def _gaps(run: Run, missing: tuple[Expected, ...], any_judged: bool) -> list[str]:
    """Reasons for which the run is incomplete, as sentences."""
    gaps = []
    if run.footer is None:
        gaps.append("The run was cut off before its end.")
    elif run.footer.outcome != "complete":
        happened = "was interrupted" if run.footer.outcome == "interrupted" else "broke off"
        gaps.append(f"The run {happened}{': ' + run.footer.message if run.footer.message else ''}.")
    if run.n_damaged:
        gaps.append(f"{_count(run.n_damaged, 'line')} of the results file could not be read.")
    if not any_judged:
        gaps.append("Nothing was judged.")
    elif missing:
        first = missing[0]
        rest = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        told = f"{_count(len(missing), 'declared row')} never judged: {first.layer} {first.branch} {first.dtype} {first.quantity}{rest}."
        complete = run.footer is not None and run.footer.outcome == "complete"
        gaps.append(f"{told} More examples reach them." if complete else told)
    return gaps


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
