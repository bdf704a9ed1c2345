"""How many planted faults are diagnosed: correctly, wrongly, not at all. Run as `python -m tests.mutants.diagnosed [name ...]`."""

from __future__ import annotations

import statistics
import sys
import time
from typing import NamedTuple

import numpy as np

from oracle.core.case import Case
from oracle.core.evaluation import Finding
from oracle.core.judge import judge
from oracle.core.observe import watching
from oracle.search.diagnose import FAMILIES, Diagnosis, Family, diagnose
from oracle.search.numbered import case_at
from oracle.search.sweep import sweep
from oracle.search.tally import Tally
from oracle.specs import spec_named
from oracle.subjects import subject_of
from tests.mutants.causes import CAUSES
from tests.mutants.hunt import CASES, CHUNK, DTYPES, SEED
from tests.mutants.registry import Planted, planted_faults


class Failure(NamedTuple):
    """A failing case of a mutant, and the finding that its fault was planted for."""

    case: Case
    finding: Finding


def first_failure(mutant: Planted) -> Failure:
    """The first case of the ordinary sweep that convicts the mutant on its row; a cotangent that is ignored has a row of its own."""
    spec = spec_named(mutant.spec)
    subject = subject_of(spec, mutant.layer)
    tally = Tally(spec)
    for start in range(0, CASES, CHUNK):
        tally.merge(sweep(spec, subject, SEED, DTYPES, start, start + CHUNK))
        convicted = [(failure.case, key[2]) for key, failure in tally.failures.items()]
        mine = sorted((index, name) for index, name in convicted if name in (mutant.on[0], "cotangent.honoured"))
        if mine:
            index, name = mine[0]
            case = case_at(spec, SEED, DTYPES, index)
            with watching(), np.errstate(all="ignore"):
                found = judge(spec, subject, case, measure=True).findings
            return Failure(case, next(f for f in found if f.name == name))
    raise AssertionError(f"{mutant.name} is not convicted on {mutant.on[0]}")


def diagnosis_of(mutant: Planted, failure: Failure, families: tuple[Family, ...] = FAMILIES) -> Diagnosis | None:
    """What is said of the mutant."""
    spec = spec_named(mutant.spec)
    case = failure.case
    return diagnose(spec, subject_of(spec, mutant.layer), failure.finding.key, case.branch, case.dtype, case, families=families)


def verdict(mutant: Planted, found: Diagnosis | None) -> str:
    """correct, wrong, or not at all."""
    if found is None:
        return "not at all"
    return "correct" if found.cause in CAUSES.get(mutant.name, frozenset()) else "wrong"


def main(names: list[str]) -> None:
    """Print the counts, for causes written before the mutants were seen and for all; what is wrong or missing; and the time."""
    before = tuple(f for f in FAMILIES if not f.after)
    counts = {"before": dict.fromkeys(("correct", "wrong", "not at all"), 0), "all": dict.fromkeys(("correct", "wrong", "not at all"), 0)}
    seconds = []
    for m in planted_faults():
        if names and m.name not in names:
            continue
        failure = first_failure(m)
        start = time.perf_counter()
        found = diagnosis_of(m, failure)
        seconds.append(time.perf_counter() - start)
        counts["all"][verdict(m, found)] += 1
        earlier = found if len(before) == len(FAMILIES) else diagnosis_of(m, failure, before)
        counts["before"][verdict(m, earlier)] += 1
        said = "-" if found is None else f"[{found.cause}] {found.sentence}"
        print(f"{verdict(m, found):10} {seconds[-1]:5.2f} s {m.spec}-{m.name} {failure.finding.key}: {m.fault}\n{'':18}{said}", flush=True)
    for label, count in counts.items():
        print(f"causes {label:7}: " + ", ".join(f"{n} {kind}" for kind, n in count.items()))
    print(f"seconds per diagnosis: median {statistics.median(seconds):.2f}, at most {max(seconds):.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
