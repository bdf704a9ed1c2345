"""Whether a run has tried a case that failed in the other one, as far as two files can tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from oracle.results.model import CaseData, Counterexample, LayerInfo, Run

Place = tuple[str, str, str, int]


class Tried:
    """What `run` has tried, held against the numbers of the cases of the `other` run."""

    def __init__(self, run: Run, other: Run, name: str) -> None:
        self.run, self.other, self.name = run, other, name
        self._infos = {info.name: info for info in run.header.layers}
        self._others = {info.name: info for info in other.header.layers}

    def why_not(self, example: Counterexample) -> str:
        """Why `run` has not tried the case of `example`, as the end of a sentence; empty where it has."""
        layer = example.layer
        if not self.finished(layer):
            return f"{self.name} did not come to its end"
        if self._replays(example):
            return ""
        if example.lane == "corpus":
            return f"it is not in the corpus of {self.name}"
        return self.numbered_otherwise(layer) or self._beyond(example.index)

    def numbered_otherwise(self, layer: str) -> str:
        """Why the same number is another case of `layer` in both runs; empty where nothing says that it is."""
        mine, theirs = self.run.header.settings, self.other.header.settings
        if mine.seed != theirs.seed:
            return f"{self.name} has seed {mine.seed}, not {theirs.seed}"
        if mine.dtypes != theirs.dtypes:
            return f"{self.name} was run for {' and '.join(mine.dtypes)}, not {' and '.join(theirs.dtypes)}"
        own, their = self._infos.get(layer), self._others.get(layer)
        if own is None or their is None or _draws(own) != _draws(their):
            return f"{self.name} draws other cases for {layer}"
        if layer in self._contradicted:
            return f"case {self._contradicted[layer]} is another one in {self.name}"
        return ""

    def same_cases(self, layer: str) -> bool:
        """Whether both runs have judged exactly the same cases of `layer`, as far as their files tell."""
        mine, theirs = self.run.header, self.other.header
        asked = (mine.settings.examples, mine.settings.shard, mine.corpus) == (
            theirs.settings.examples,
            theirs.settings.shard,
            theirs.corpus,
        )
        return asked and not self.numbered_otherwise(layer) and self.finished(layer) and Tried(self.other, self.run, "").finished(layer)

    def finished(self, layer: str) -> bool:
        """Whether every case that was asked for of `layer` was judged, and nothing of it is lost."""
        if self.run.n_damaged or any(note.layer == layer and note.title == "given up" for note in self.run.notes):
            return False
        if self.run.footer is not None and self.run.footer.outcome == "complete":
            return True
        # cut off: the layers before the one that was being judged are whole
        asked = self.run.header.settings.examples + len(self.run.header.corpus)
        return self._counted[layer] >= asked and self.run.header.settings.shard is None

    def _beyond(self, index: int) -> str:
        mine, theirs = self.run.header.settings, self.other.header.settings
        if index >= mine.examples:
            return f"{self.name} has tried only {mine.examples:,} cases"
        if mine.shard is not None and mine.shard != theirs.shard:
            return f"{self.name} is one share of a run"
        return ""

    def _replays(self, example: Counterexample) -> bool:
        """Whether the very case, found or minimised, was judged in `run` under whatever number."""
        cases = [case for case in (example.case, example.minimised) if case is not None]
        known = {*self.run.header.corpus, *self._sampled[example.layer]}
        return bool(known) and any(case.digest in known for case in cases)

    @cached_property
    def _counted(self) -> dict[str, int]:
        counted: dict[str, int] = defaultdict(int)
        for depth in self.run.depths:
            counted[depth.layer] += depth.n_cases
        return counted

    @cached_property
    def _sampled(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for sample in self.run.samples:
            found[sample.layer].add(sample.digest)
        return found

    @cached_property
    def _contradicted(self) -> dict[str, int]:
        """Layer -> the number of a case that is another one in both runs."""
        theirs: dict[Place, CaseData | str] = dict(_places(self.other))
        found: dict[str, int] = {}
        for place, case in _places(self.run):
            known = theirs.get(place)
            if known is not None and place[0] not in found and _digest(known) != _digest(case):
                found[place[0]] = place[3]
        return found


def _places(run: Run) -> Iterator[tuple[Place, CaseData | str]]:
    """The numbered cases that `run` has stored; a sample comes with its digest."""
    for c in run.counterexamples:
        if c.lane == "search":
            yield (c.layer, c.branch, c.dtype, c.index), c.case
    for s in run.samples:
        yield (s.layer, s.branch, s.dtype, s.index), s.digest


def _digest(case: CaseData | str) -> str:
    return case if isinstance(case, str) else case.digest


def _draws(info: LayerInfo) -> tuple[object, ...]:
    """What the cases of a layer depend on beside the seed, the dtypes and the number."""
    return info.spec or info.name, info.check_version, info.branches, info.not_claimed
