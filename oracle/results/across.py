"""The same input on every leg: which samples are the same case, and how far the answers to it are apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from oracle.results.legs import Leg
from oracle.results.model import ArrayData, CaseData, Sample
from oracle.results.ulp import ulp_distances

Side = Literal["actual", "expected"]
SIDES: tuple[Side, Side] = ("actual", "expected")
Group = tuple[str, str, str]


class SameInput(NamedTuple):
    """One case that several legs were given, with what each made of it. legs: their labels; answers: label -> its sample."""

    group: Group
    number: int
    digest: str
    case: CaseData
    answers: Mapping[str, Sample]

    def quantities(self) -> list[str]:
        """The quantities that any leg has an answer to."""
        return list(dict.fromkeys(name for s in self.answers.values() for name in (*s.actual, *s.expected)))

    def array(self, label: str, side: Side, quantity: str) -> ArrayData | None:
        """What `label` has for one side of a quantity."""
        sample = self.answers[label]
        return (sample.actual if side == "actual" else sample.expected).get(quantity)

    @property
    def first(self) -> str:
        """The first leg that was given this case: the others are compared with it."""
        return next(iter(self.answers))

    @property
    def differs(self) -> bool:
        """Whether any answer differs from that of the first leg, be it in the last bit."""
        first, *others = self.answers
        return any(self.array(first, side, q) != self.array(o, side, q) for o in others for side in SIDES for q in self.quantities())


class Apart(NamedTuple):
    """How far one side of one quantity is from that of the first leg that was given the same input, over all samples.

    n_elements: that were compared; n_differ of them are not the same number. max_ulp: the largest distance, None where a NaN, an infinity
    or another shape stands on one side only.
    """

    n_elements: int = 0
    n_differ: int = 0
    max_ulp: int | None = 0

    def plus(self, other: Apart) -> Apart:
        """Both together."""
        ulp = None if self.max_ulp is None or other.max_ulp is None else max(self.max_ulp, other.max_ulp)
        return Apart(self.n_elements + other.n_elements, self.n_differ + other.n_differ, ulp)


class OtherInputs(NamedTuple):
    """A case of which the legs were given different inputs under one number. drawn: labels that have the same, set by set."""

    group: Group
    number: int
    drawn: tuple[tuple[str, ...], ...]


class Across(NamedTuple):
    """All that samples say. apart: (layer, quantity, label, side) -> how far from the first leg that was given the same input;
    n_samples: label -> samples compared."""

    same: tuple[SameInput, ...]
    other: tuple[OtherInputs, ...]
    apart: Mapping[tuple[str, str, str, Side], Apart]
    n_samples: Mapping[str, int]

    @property
    def firsts(self) -> tuple[str, ...]:
        """The legs that others are compared with: those without torch are given other inputs than those with it."""
        return tuple(dict.fromkeys(found.first for found in self.same))

    def total(self, label: str, side: Side) -> Apart:
        """How far one side of a leg is from the first one's, over all layers and quantities."""
        found = Apart()
        for (_, _, leg, which), apart in self.apart.items():
            if (leg, which) == (label, side):
                found = found.plus(apart)
        return found


def across(legs: Sequence[Leg]) -> Across:
    """What the samples of `legs` say of one another. Only cases of one digest are compared: those are the same to the last bit."""
    same, other = _sorted_out(legs)
    apart: dict[tuple[str, str, str, Side], Apart] = {}
    for found in same:
        for label, quantity, side, away in _distances(found):
            key = (found.group[0], quantity, label, side)
            apart[key] = apart.get(key, Apart()).plus(away)
    n_samples = {leg.label: sum(leg.label in s.answers and leg.label != s.first for s in same) for leg in legs[1:]}
    return Across(tuple(same), tuple(other), apart, n_samples)


def _sorted_out(legs: Sequence[Leg]) -> tuple[list[SameInput], list[OtherInputs]]:
    """The cases that at least two legs share, and the numbers under which they were given different ones."""
    by_digest: dict[tuple[Group, str], dict[str, Sample]] = {}
    by_index: dict[tuple[Group, int], dict[str, list[str]]] = {}
    for leg in legs:
        for sample in leg.run.samples:
            group = (sample.layer, sample.branch, sample.dtype)
            digest = sample.case.digest  # not what the file says it is
            by_digest.setdefault((group, digest), {}).setdefault(leg.label, sample)
            by_index.setdefault((group, sample.index), {}).setdefault(digest, []).append(leg.label)
    same = [
        SameInput(group, next(iter(answers.values())).index, digest, next(iter(answers.values())).case, answers)
        for (group, digest), answers in by_digest.items()
        if len(answers) > 1
    ]
    other = [
        OtherInputs(group, index, tuple(tuple(labels) for labels in drawn.values()))
        for (group, index), drawn in by_index.items()
        if len(drawn) > 1
    ]
    return same, other


def _distances(found: SameInput) -> Iterator[tuple[str, str, Side, Apart]]:
    """Label, quantity, side and distance from the first leg that was given this case, for every other one that was."""
    first, *others = found.answers
    for label in others:
        for quantity in found.quantities():
            for side in SIDES:
                yield label, quantity, side, distance(found.array(first, side, quantity), found.array(label, side, quantity))


def distance(a: ArrayData | None, b: ArrayData | None) -> Apart:
    """How far two answers are apart, of which one may be missing or of another shape."""
    if a is None and b is None:
        return Apart()
    if a is None or b is None or (a.dtype, a.shape) != (b.dtype, b.shape):
        n = len((b or a).values())  # type: ignore[union-attr]
        return Apart(n, n, None)
    distances = ulp_distances(a, b)
    known = [d for d in distances if d is not None]
    return Apart(len(distances), sum(d != 0 for d in distances), max(known, default=0) if len(known) == len(distances) else None)
