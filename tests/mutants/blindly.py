"""The blind set, diagnosed as a user's layers are. Run as `python -m tests.mutants.blindly [part of a name]`.

Measured once before anything was mended, on 24 November 2026: 69 faults, each with its row, its plain sentence and the words of a right
diagnosis written down by somebody who had seen the issue's list of causes, but neither the catalogue nor the causes of the planted
faults. 1,000 cases, seed 0, float64 and float32. Each sentence was then held against the code of its layer by hand:

    50 right             true, and names the cause
     2 true, unspecific  ReluKeepsFirstMask ("a used layer raises ValueError ..."), AffineLearns ("writes into W", not that it is a step)
     1 wrong             FastSigmoid: "is a softsign", which is another function; 0.5 + x / (2 (1 + |x|)) is a softsign brought to 0 ... 1
    15 silent            ten faults that people do make, and five of the eleven that no reasonable catalogue has
     1 not measured      mul_forward: it fails cotangent.honoured, not the row that had been written down for it

So 52 of the 53 sentences were true. The ten: a relu open at 0, an output used up by backward (twice), dW transposed, dW with weight decay
where NaN is about, a product over sqrt(D), a loss softmax along the batch, exp without the maximum taken off, an epsilon below a softmax,
a net that does not go back through its relu. Causes for these were written afterwards, so that what is said today is no blind figure.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np

from oracle.core.spec import LayerSpec
from oracle.search.diagnose import diagnose
from oracle.search.entrant import samples
from oracle.search.numbered import case_at
from oracle.search.sweep import sweep
from oracle.search.tally import Failure, Tally
from oracle.specs import spec_named
from oracle.subjects.conventions import Subject, connect
from tests.mutants.blind.record import Blind, blind_faults

CASES, CHUNK, SEED = 1000, 128, 0
DTYPES = ("float64", "float32")


class Told(NamedTuple):
    """What was said of one faulty layer. found: whether its row was convicted at all. convention: how it was called."""

    fault: Blind
    found: str
    convention: str
    cause: Any

    @property
    def sentence(self) -> str:
        return "" if self.cause is None else self.cause.sentence

    @property
    def hit(self) -> bool:
        """Whether the sentence has one of the words that were written down before."""
        return any(word in self.sentence.lower() for word in self.fault.tells)


def told(fault: Blind) -> Told:
    """Connect the layer, sweep it until its row is convicted, and diagnose the case that stands for the failures of the row."""
    spec = spec_named(fault.spec)
    connection = connect(spec.signature, fault.name, vars(sys.modules[fault.module]), samples(spec))
    lead = _lead(spec, connection.subject, fault)
    if lead is None:
        return Told(fault, "", connection.convention, None)
    (branch, dtype, _), failure = lead
    case = case_at(spec, SEED, DTYPES, failure.case)
    found = f"{branch} {dtype} case {failure.case}: {failure.finding.reason}"
    with np.errstate(all="ignore"):
        cause = diagnose(spec, connection.subject, failure.finding.key, branch, dtype, case, SEED)
    return Told(fault, found, connection.convention, cause)


def _lead(spec: LayerSpec, subject: Subject, fault: Blind) -> tuple[tuple[str, str, str], Failure] | None:
    """The failure that a campaign would make small for the row: of the first branch, and of its first dtype."""
    order = {name: i for i, name in enumerate((*spec.branches, *DTYPES))}
    tally = Tally(spec)
    for start in range(0, CASES, CHUNK):
        tally.merge(sweep(spec, subject, SEED, DTYPES, start, min(start + CHUNK, CASES)))
        failures = [(key, f) for key, f in tally.failures.items() if key[2] == fault.row and fault.branch in ("", key[0])]
        if failures:
            return min(failures, key=lambda item: (order[item[0][0]], order[item[0][1]]))
    return None


def main(part: str = "") -> None:
    """Print every fault, what was said of it, and how many were hit, missed or passed over."""
    every = [told(fault) for fault in blind_faults() if part.lower() in fault.name.lower()]
    for i, t in enumerate(every, 1):
        verdict = "no failure" if not t.found else "silent" if not t.sentence else "says it" if t.hit else "READ IT"
        print(f"{i:2} {t.fault.name} [{t.fault.spec}, {t.convention}] {t.fault.row} ({t.found})\n   is:   {t.fault.fault}")
        print(f"   said: {t.sentence or '-'}   <{verdict}{', rare' if t.fault.rare else ''}>")
    silent = sum(not t.sentence for t in every)
    print(f"{len(every)} faults, {sum(t.hit for t in every)} with a word of the fault, {silent} silent")


if __name__ == "__main__":
    main(*sys.argv[1:2])
