"""Two runs compared, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from oracle.results.diff.answers import moved
from oracle.results.diff.causes import Evidence, answer_causes, candidates, check_evidence, code_evidence, environment_evidence
from oracle.results.diff.changes import Cause, Change, Difference, Key, Mark
from oracle.results.diff.drift import FACTOR, drift
from oracle.results.diff.sides import blinder, incomplete, reached_its_end, sides
from oracle.results.diff.tried import Tried
from oracle.results.model import Counterexample, LayerInfo, Result, Run

State = Literal["fails", "holds", "unjudged", "absent"]
UNTRIED: tuple[Mark, ...] = ("newly found", "not seen again")
"""The marks of rows whose failing case only one run has tried."""
LOADS = "subject.loads"
"""The contract that stands for a subject which could not be judged at all; a run in which it could be has no such row."""


def diff(before: Run, after: Run, factor: float = FACTOR) -> Difference:
    """What is other in `after` than it was in `before`. Raises ValueError unless `factor`, for the drift of margins, is above 1."""
    if not factor > 1:
        raise ValueError(f"a margin drifts by a factor above 1, not {factor}")
    pair = _Pair(before, after, factor)
    changes = list(pair.changes())
    found = Difference(
        changes=(),
        moved=pair.moved,
        blinder=blinder(before, after),
        sides=sides(before, after),
        incomplete=(*incomplete(before, "BEFORE"), *incomplete(after, "AFTER")),
        n_rows=len({r.key for run in (before, after) for r in run.results if r.n_judged}),
        n_new=pair.n_new,
    )
    return found.with_changes(changes, replayed=False)


class _Side:
    """One run, ready to be asked for its rows."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.results = {r.key: r for r in run.results}
        self.infos: dict[str, LayerInfo] = {info.name: info for info in run.header.layers}
        self.judged = {r.layer for r in run.results if r.n_judged and r.quantity != LOADS}
        self.declared: set[Key] = {(e.layer, e.branch, e.dtype, e.quantity) for e in run.header.expected}
        self.examples: dict[Key, list[Counterexample]] = {}
        for c in run.counterexamples:
            self.examples.setdefault((c.layer, c.branch, c.dtype, c.quantity), []).append(c)

    def state(self, key: Key) -> State:
        """What became of the row `key`. A subject that was judged could be loaded, though no row says so."""
        result = self.results.get(key)
        if result is not None and result.status in ("failed", "error", "known"):
            return "fails"
        if result is None and key in self.examples:
            return "fails"
        if key[3] == LOADS and key[0] in self.judged:
            return "holds"
        if result is not None and result.n_judged and result.status in ("passed", "stale"):
            return "holds"
        return "unjudged" if result is not None or key in self.declared else "absent"


class _Pair:
    """Two runs, and what is known of both together."""

    def __init__(self, before: Run, after: Run, factor: float) -> None:
        self.before, self.after, self.factor = _Side(before), _Side(after), factor
        self.tried_before = Tried(before, after, "BEFORE")
        self.tried_after = Tried(after, before, "AFTER")
        self.environment = environment_evidence(before.header.environment, after.header.environment)
        self.check = check_evidence(before, after)
        self.n_new = 0
        self._evidence: dict[str, Evidence] = {}
        found = moved(before, after)
        self._oracle_moved = {(m.layer, m.quantity) for m in found if m.side == "expected"}
        self.moved = tuple(m._replace(causes=answer_causes(m.side, self.evidence(m.layer, m.quantity))) for m in found)

    def changes(self) -> Iterator[Change]:
        """A change for every row that has one, in the order of the rows."""
        for key in dict.fromkeys([*self.before.results, *self.after.results, *self.before.examples, *self.after.examples]):
            change = self._change(key)
            if change is not None:
                yield change

    def _change(self, key: Key) -> Change | None:
        was, now = self.before.state(key), self.after.state(key)
        if now == "holds" and was in ("unjudged", "absent"):
            self.n_new += 1
        if "fails" not in (was, now) and was != "holds":
            return None
        if was in ("fails", "holds") and now in ("fails", "holds") and (why := self._incomparable(key)):
            return self._made(key, "not comparable", why, causes=("check",))
        if now == "fails":
            return self._failing(key, was)
        if now == "holds":
            return self._mended(key) if was == "fails" else self._holding(key)
        return self._unjudged(key, now)

    def _failing(self, key: Key, was: State) -> Change:
        before, after = self.before.results.get(key), self.after.results.get(key)
        if was == "fails":
            return self._made(key, "still failing", _counts(before, after), _told(before) != _told(after))
        why_not = self._untried(key, was)
        if key[3] == LOADS and was == "holds":
            return self._made(key, "newly failing", "BEFORE could load the subject.", causes=self._loading())
        told = f"BEFORE passed {self._case(key, 'after')}." if not why_not else f"Fails in {self._case(key, 'after')}; {why_not}."
        if after is not None and after.status == "known":
            return self._made(key, "accepted", told)
        return self._made(key, "newly found" if why_not else "newly failing", told)

    def _untried(self, key: Key, was: State) -> str:
        """Why BEFORE has tried none of the cases that fail in AFTER; empty where it has tried one."""
        if was != "holds":
            return "BEFORE did not judge this row"
        reasons = [self.tried_before.why_not(c) for c in self.after.examples.get(key, ())]
        return "" if "" in reasons else reasons[0] if reasons else "which case that is was not stored"

    def _mended(self, key: Key) -> Change:
        """Failed in BEFORE and passes in AFTER: fixed, if AFTER has tried every case that is known to have failed."""
        if key[3] == LOADS:
            return self._made(key, "fixed", "AFTER loads the subject.", causes=self._loading())
        examples = self.before.examples.get(key, [])
        reasons = [why for c in examples if (why := self.tried_after.why_not(c))]
        if not examples:
            reasons = ["which case that was is not stored"]
        case = self._case(key, "before")
        if reasons:
            return self._made(key, "not seen again", f"Failed in {case}; {reasons[0]}.")
        return self._made(key, "fixed", f"AFTER passes {case}.")

    def _holding(self, key: Key) -> Change | None:
        before, after = self.before.results.get(key), self.after.results.get(key)
        if before is None or after is None:
            return None
        if after.status == "stale" and before.status != "stale":
            return self._made(key, "stale", "It is listed as known and fails no more: remove the entry.")
        grown = drift(before, after, self.factor, self.tried_after.same_cases(key[0]))
        if grown == 1:
            return None
        return self._made(key, "drifted", f"The margin has {'grown' if grown > 1 else 'shrunk'} {max(grown, 1 / grown):.3g} times.")

    def _unjudged(self, key: Key, now: State) -> Change:
        """Judged in BEFORE and not in AFTER: lost, unless AFTER just did not come to it."""
        if now == "unjudged" and not reached_its_end(self.after.run) and not self._not_claimed(key):
            return self._made(key, "not reached", "AFTER did not come to it.")
        why, causes = self._loss(key)
        return self._made(key, "lost coverage", why, causes=causes)

    def _not_claimed(self, key: Key) -> bool:
        result = self.after.results.get(key)
        return result is not None and result.status == "not-claimed"

    def _loss(self, key: Key) -> tuple[str, tuple[Cause, ...] | None]:
        """Why a row is not judged any more, and the cause where that says it."""
        layer, branch, dtype, quantity = key
        info = self.after.infos.get(layer)
        if info is None or LOADS in info.contracts:
            return self._gone(layer)
        if self._not_claimed(key):
            return "It is not claimed any more.", ("check",)
        if dtype not in self.after.run.header.settings.dtypes:
            return f"AFTER was not run for {dtype}.", ("inputs",)
        if branch not in info.branches or quantity not in (*info.quantities, *info.contracts):
            return "It is no row of the layer any more.", ("check",)
        if any(r.status == "error" and (r.layer, r.branch, r.dtype) == key[:3] for r in self.after.run.results):
            return "The layer raises, so that there is nothing to compare.", None
        return "Declared, but no case of AFTER has judged it.", None

    def _gone(self, layer: str) -> tuple[str, tuple[Cause, ...]]:
        """Why AFTER has nothing of a layer: its file was asked for under the same name, or nothing was."""
        info = self.before.infos.get(layer)
        target = info.target if info else ""
        names = [i for i in self.after.infos.values() if i.name == layer or (target and i.target == target)]
        if any(LOADS in i.contracts for i in names):
            return "The subject could not be loaded.", self._loading()
        if names:
            return f"There is no such layer in {target} any more.", ("code",)
        return "AFTER was not asked for this layer.", ("inputs",)

    def _loading(self) -> tuple[Cause, ...]:
        """What may be the cause where a subject is loaded in one run only."""
        return ("code", "environment") if self.environment == "differs" else ("code",)

    def _incomparable(self, key: Key) -> str:
        """Why margins and states of a row mean something else in both runs; empty where they do not."""
        before, after = self.before.results.get(key), self.after.results.get(key)
        if before is not None and after is not None and before.check_version != after.check_version:
            return f"Its check has version {after.check_version}, not {before.check_version} as in BEFORE."
        mine, theirs = self.before.infos.get(key[0]), self.after.infos.get(key[0])
        if mine is None or theirs is None or key[3] == LOADS:
            return ""
        if mine.spec and theirs.spec and mine.spec != theirs.spec:
            return f"It is judged as {theirs.spec}, not as {mine.spec} as in BEFORE."
        return "It is judged against another torch expression than in BEFORE." if mine.torch and mine.torch != theirs.torch else ""

    def _made(self, key: Key, mark: Mark, why: str, differs: bool = True, causes: tuple[Cause, ...] | None = None) -> Change:
        evidence = self.evidence(key[0], key[3])
        if mark in UNTRIED:
            evidence = evidence._replace(inputs="differs")
        found = candidates(mark, evidence) if causes is None else causes
        return Change(key, mark, why, found, self.before.results.get(key), self.after.results.get(key), self._example(key, mark), differs)

    def _example(self, key: Key, mark: Mark) -> Counterexample | None:
        """The case that shows a change: of AFTER if it fails there, one that both have tried if any, minimised if any is."""
        found = self.after.examples.get(key) or self.before.examples.get(key, [])
        if mark == "newly failing":
            found = [c for c in found if not self.tried_before.why_not(c)]
        return next((c for c in found if c.minimised is not None), found[0] if found else None)

    def _case(self, key: Key, name: Literal["before", "after"]) -> str:
        side: _Side = getattr(self, name)
        examples = side.examples.get(key)
        if not examples:
            return "a case"
        first = examples[0]
        if first.lane == "corpus":
            return f"stored case {first.case.digest}"
        return f"case {first.index:,} of seed {first.seed}"

    def evidence(self, layer: str, quantity: str) -> Evidence:
        """What the files say of each cause, for the rows of a quantity of `layer`."""
        if layer not in self._evidence:
            code = code_evidence(self.before.run, self.after.run, self.before.infos.get(layer), self.after.infos.get(layer))
            same = self.tried_after.same_cases(layer)
            self._evidence[layer] = Evidence(code, "same" if same else "differs", self.check, self.environment)
        found = self._evidence[layer]
        # whatever the versions say: torch answers otherwise here
        return found._replace(environment="differs") if (layer, quantity) in self._oracle_moved else found


def _told(result: Result | None) -> tuple[object, ...]:
    """What of a row is compared; a NaN is the same as a NaN."""
    if result is None:
        return ()
    margin = result.margin
    return result.status, result.n_judged, result.n_failed, None if margin is None else repr(margin), result.message


def _counts(before: Result | None, after: Result | None) -> str:
    sides = [f"{r.n_failed:,} of {r.n_judged:,} cases" if r else "an unknown number of cases" for r in (before, after)]
    return f"Failed in {sides[0]}, and now in {sides[1]}."
