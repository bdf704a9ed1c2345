"""A subject in a process of its own, which does not share the judge's fate: what it does to itself ends as an error of one case."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from oracle.core.case import Case
from oracle.core.evaluation import Evaluation
from oracle.core.observe import Observation, Remote, SubjectGone
from oracle.core.spec import Signature
from oracle.subjects.conventions import ConventionError
from oracle.subjects.loaded import LoadError
from oracle.subjects.matching import Candidate
from oracle.subjects.process import Ended, IsolationError, Limits, Printed, Process
from oracle.subjects.target import Target
from oracle.subjects.wire import Frame, WireError, observation_of, pairs_of, text_of, texts_of

T = TypeVar("T")

__all__ = ["MOST_DEATHS", "Found", "Introduction", "Isolated", "IsolationError", "Limits", "SubjectGone"]

MOST_DEATHS = 3
"""So many processes of one subject may die before it is given up."""
_RAISED = {"LoadError": LoadError, "ConventionError": ConventionError}
_LONG = 2000


class Found(NamedTuple):
    """What a target holds. notes: what was left out. missing: definitions that could not be loaded, and why."""

    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...]
    missing: Mapping[str, str]


class Introduction(NamedTuple):
    """How a subject is called; the fields of `conventions.Connection` without the object itself."""

    convention: str
    details: str
    forward_only: str


class _Block:
    """Cases that are asked for together: those without an answer yet, and the answers that nobody has taken yet."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.open = deque(cases)
        self.answers: deque[Observation] = deque()


class Isolated(Remote):
    """`target` in a process of its own, within `limits`. A context manager; the process starts on the first question.

    A case that the process does not survive is answered by an Observation with `died`; the cases after it go to a new process.
    """

    def __init__(self, target: Target, search_path: Sequence[str] = (), limits: Limits = Limits()) -> None:  # noqa: B008 - immutable
        self.target = target
        self.limits = limits
        self._search_path = tuple(search_path)
        self._printed = Printed()
        self._process: Process | None = None
        self._connecting: tuple[Any, ...] | None = None
        self._block = _Block(())
        self._deaths: list[str] = []
        self._lost: str | None = None
        self._spent = 0.0

    def __enter__(self) -> Isolated:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, and all that it has started."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def abandon(self) -> None:
        """Make whoever waits for the subject, in another thread, wait no longer: it is gone."""
        self._lost = "it was stopped by the user"
        process = self._process
        if process is not None:
            process.kill()

    @property
    def output(self) -> str:
        """What the subject has printed, cut to its beginning and its end."""
        return str(self._printed)

    def found(self, as_spec: str | None, spec_names: Sequence[str]) -> Found:
        """Load the target and say what is in it. Raises LoadError, IsolationError, SubjectGone."""
        head = self._asked("found", as_spec, tuple(spec_names)).head
        try:
            missing = {str(name): str(why) for name, why in pairs_of(head.get("missing"))}
            return Found(_candidates(head.get("candidates")), texts_of(head.get("notes")), missing)
        except WireError as error:
            raise LoadError(f"{self.target.text}: {error}") from None

    def connect(self, name: str, signature: Signature, samples: Sequence[Case], convention: str | None = None) -> Introduction:
        """Find out how `name` is called; later cases go to it. Raises ConventionError, LoadError, IsolationError, SubjectGone."""
        self._finish()
        self._connecting = ("connect", name, signature, tuple(samples), convention)
        head = self._asked(*self._connecting).head
        try:
            return Introduction(*[text_of(head.get(field), _LONG) for field in Introduction._fields])
        except WireError as error:
            raise ConventionError(f"{name}: {error}") from None

    def observations(self, cases: Sequence[Case]) -> Iterator[Observation]:
        """What the subject makes of each case, in order. Raises SubjectGone where it is reached by an answer that will not come."""
        self._finish()
        block = self._block = _Block([_bare(case) for case in cases])
        if block.open and not self._gone():
            self._begin(block)
        return self._taken(block, len(cases))

    def _taken(self, block: _Block, count: int) -> Iterator[Observation]:
        for _ in range(count):
            while not block.answers:
                self._advance(block)
            yield block.answers.popleft()

    def _finish(self) -> None:
        """Answers to the block before are taken from the pipe first, whether anybody asks for them or not."""
        while self._block.open and not self._gone():
            self._advance(self._block)

    def _gone(self) -> str | None:
        if len(self._deaths) >= MOST_DEATHS:
            return f"{MOST_DEATHS} processes of the subject have died, the last one like this: {self._deaths[-1]}"
        if self._left() <= 0:
            return f"the subject used up its {self.limits.total_seconds:g} s"
        return self._lost

    def _left(self) -> float:
        return self.limits.total_seconds - self._spent

    def _begin(self, block: _Block) -> None:
        """Send the cases that have no answer yet. Dying already now is the first one's doing."""
        try:
            if self._process is None and self._connecting is not None:
                self._asked(*self._connecting)
            process = self._running()
            self._timed(lambda: process.send(("observe", tuple(block.open)), self._at_most(self.limits.case_seconds)))
        except Ended as ended:
            self._died(block, str(ended))
        except (LoadError, ConventionError, IsolationError) as error:
            # it could be had before: what has changed is its own doing, or the machine's
            self._lost = f"the subject cannot be had again: {error}"

    def _advance(self, block: _Block) -> None:
        """One more answer for `block`."""
        gone = self._gone()
        if gone:
            self.close()
            raise SubjectGone(gone)
        process = self._process
        if process is None:
            self._begin(block)
            return
        try:
            frame = self._timed(lambda: process.receive(self._at_most(self.limits.case_seconds)))
            block.answers.append(observation_of(frame))
            block.open.popleft()
        except Ended as ended:
            self._died(block, str(ended))
        except WireError as error:
            self._died(block, f"its process wrote what is no answer: {error}")

    def _died(self, block: _Block, text: str) -> None:
        self.close()
        if self._left() > 0:
            self._deaths.append(text)
            block.answers.append(Observation(Evaluation((), (), text), (), None, (), died=True))
            block.open.popleft()

    def _asked(self, *request: Any) -> Frame:
        """The answer to a request about the target as a whole. A process that dies of it is a target that cannot be loaded."""
        gone = self._gone()
        if gone:
            raise SubjectGone(gone)
        if request[0] == "connect" and self._process is None:
            # loading may take its time; it is not part of the trying
            self._asked("load")
        seconds = self.limits.connect_seconds if request[0] == "connect" else self.limits.load_seconds
        try:
            process = self._running()
            self._timed(lambda: process.send(request, self._at_most(seconds)))
            frame = self._timed(lambda: process.receive(self._at_most(seconds)))
        except Ended as ended:
            self.close()
            if request[0] == "connect":
                raise ConventionError(f"{request[1]} cannot be tried: {ended}") from None
            raise LoadError(f"{self.target.text} cannot be loaded: {ended}") from None
        raised = _RAISED.get(str(frame.head.get("raised")))
        if raised is not None:
            raise raised(text_of(frame.head.get("text"), _LONG))
        return frame

    def _running(self) -> Process:
        if self._process is None:
            try:
                self._process = self._timed(lambda: Process(self.target, self._search_path, self.limits, self._printed))
            except Ended as ended:
                raise IsolationError(f"a process for the subject cannot be started: {ended}\n{self.output}".rstrip()) from None
        return self._process

    def _at_most(self, seconds: float) -> float:
        return min(seconds, self._left())

    def _timed(self, action: Callable[[], T]) -> T:
        """Waiting for the subject is its time; what the judge does meanwhile is not."""
        before = time.monotonic()
        try:
            return action()
        finally:
            self._spent += time.monotonic() - before


def _candidates(value: Any) -> tuple[Candidate, ...]:
    if not isinstance(value, list) or not all(isinstance(item, list) and len(item) == 3 for item in value):
        raise WireError("candidates that are none")
    return tuple([Candidate(text_of(name), None if spec is None else text_of(spec), text_of(why)) for name, spec, why in value])


def _bare(case: Case) -> Case:
    """The case without what only the judge needs."""
    prior = None if case.prior is None else _bare(case.prior)
    return case._replace(dims={}, profiles=(), prior=prior)
