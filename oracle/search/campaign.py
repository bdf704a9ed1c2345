"""A whole run: every layer swept over a pool of processes, counterexamples made small, all of it written as it becomes known."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from oracle.core.spec import LayerSpec
from oracle.results import CaseData, Counterexample, Depth, Footer, Gate, Note, Result, ResultsWriter, Sample, Settings, Worst, entry_for
from oracle.results.model import Record
from oracle.search import jobs, lanes
from oracle.search.declaration import Plan, dtypes_of, header, not_claimed, now, rejection
from oracle.search.entrant import Entrant
from oracle.search.tally import SAMPLES, Failure, Group, GroupDepth, Tally, depths, results, seen

CHUNK = 1024
"""Cases of one job; a multiple of the sweep's block."""
SMALL_CHUNK = 128
"""Cases of one job in this process, where nothing is handed over, and of a subject, which may be slow: what Ctrl-C may lose."""
FLUSH_SECONDS = 2.0
"""At most so much work is lost when the run is killed."""
IN_FLIGHT = 8
"""Jobs handed out at a time: enough to keep every worker busy, few enough to stop at once."""

Progress = Callable[[str, int], None]


class Writer(Protocol):
    """Whatever keeps records: a results file, or a list."""

    def write(self, record: Record) -> None: ...


def campaign(plan: Plan, path: Path, progress: Progress) -> None:
    """Do what `plan` says and write the results to `path`; `progress(label, n)` is called when n more cases of one entrant are done.

    Ctrl-C and a worker that dies leave everything found so far in the file, with a footer that says so. Raises ResultsError if `path`
    cannot be written.
    """
    began = time.monotonic()
    outcome, message = "complete", ""
    with ResultsWriter(path, header(plan)) as writer:
        for record in (*[rejection(r) for r in plan.rejected], *plan.notes):
            writer.write(record)
        try:
            with _pool(plan.settings.workers) as pool:
                _judge_all(plan, pool, writer, progress)
        except KeyboardInterrupt:
            outcome, message = "interrupted", "stopped by the user"
        except BrokenProcessPool:
            outcome, message = "failed", "a worker process died; its cases are not in this file"
        except JudgeFailed as failed:
            outcome, message = "failed", str(failed)
        writer.write(Footer(finished=now(), seconds=time.monotonic() - began, outcome=outcome, message=message))  # type: ignore[arg-type]


class JudgeFailed(Exception):  # noqa: N818 - it says what happened to whom
    """The judge itself could not deal with a subject: which one, and how."""


def _judge_all(plan: Plan, pool: Executor | None, writer: Writer, progress: Progress) -> None:
    """One after the other. What our own code makes of one subject does not cost the others their verdict. Raises JudgeFailed at the end."""
    failed = []
    for entrant in plan.entrants:
        try:
            judge_entrant(entrant, plan.settings, pool, writer, progress, plan.stored_for(entrant.label), plan.gate)
            if plan.vets:
                _vet(entrant, plan.settings, pool, writer)
        except (BrokenProcessPool, OSError):
            raise
        except Exception as error:
            if entrant.target is None:
                raise
            failed.append(f"the judge failed on {entrant.label}, which is a fault of gradconform: {type(error).__name__}: {error}")
            writer.write(Note(layer=entrant.label, title="given up", text=failed[-1]))
    if failed:
        raise JudgeFailed("; ".join(failed))


def _vet(entrant: Entrant, settings: Settings, pool: Executor | None, writer: Writer) -> None:
    """Whether the judge would have seen a fault in these cases, and whether the oracle is to be trusted."""
    asked = [(entrant, settings.seed, dtypes_of(entrant.judged_by(), settings), settings.examples)]
    for job in (jobs.planted, jobs.health):
        for _, records in _run(pool, job, asked):
            for record in records:
                writer.write(record)


@contextmanager
def _pool(workers: int) -> Iterator[Executor | None]:
    """A pool of fresh processes, or None to work in this one. On the way out nothing is waited for that has not begun."""
    # one thread a process: the cases are small, and a BLAS of many threads in each of many workers only waits for itself
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if workers <= 1:
        yield None
        return
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=jobs.prepare)
    try:
        yield pool
    except KeyboardInterrupt:
        # what they are at may take long, and nobody waits for it any more
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Record:
    """What is known of one entrant: counted, written in parts, and its first failing cases."""

    def __init__(self, entrant: Entrant, spec: LayerSpec, settings: Settings, writer: Writer) -> None:
        self._entrant, self._spec, self._settings, self._writer = entrant, spec, settings, writer
        self._part = Tally(spec, entrant.label)
        self._known: dict[tuple[str, str], GroupDepth] = {}
        self._flushed = time.monotonic()
        self._told: set[str] = set()
        self._samples: dict[Group, list[Sample]] = {}
        self._largest: dict[str, tuple[float, int]] = {}
        self.failures: dict[tuple[str, str, str], Failure] = {}

    def add(self, part: Tally) -> None:
        """Count a part; a row that fails for the first time has its case written at once."""
        self._part.merge(part)
        for key, failure in part.failures.items():
            if key not in self.failures or failure.case < self.failures[key].case:
                self.failures[key] = failure
                self._write_raw(key, failure)
        for title, text in (("given up", part.given_up), ("printed", part.printed)):
            if text and title not in self._told:
                self._told.add(title)
                self._writer.write(Note(layer=self._entrant.label, title=title, text=text))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what has been counted since the last time."""
        rows: list[Result | Depth] = [*results(self._part, self._spec), *depths(self._part, self._known)]
        for row in rows:
            self._writer.write(row)
        for group, samples in self._part.samples.items():
            both = [*self._samples.get(group, ()), *samples]
            self._samples[group] = sorted(both, key=lambda sample: sample.index)[:SAMPLES]
        for (_, _, name), counted in self._part.rows.items():
            if counted.margin and name in self._spec.quantities:
                found = (-counted.margin, counted.worst_case or 0)
                self._largest[name] = min(self._largest.get(name, found), found)
        self._part = Tally(self._spec, self._entrant.label)
        self._flushed = time.monotonic()

    def end(self) -> None:
        """Write what is left, and what only the end of the cases shows."""
        self.flush()
        if self._settings.shard is not None:
            for record in seen(self._entrant.label, self._known):
                self._writer.write(record)
        for branch in self._spec.branches:
            for dtype in self._settings.dtypes:
                for sample in self._samples.get((branch, dtype), ()):
                    self._writer.write(sample)

    def replayed(self, found: lanes.Replayed, data: Mapping[int, CaseData]) -> None:
        """Write what stored cases have shown, apart from what the search is going to."""
        rows = [*lanes.rows(found.tally, self._spec), *depths(found.tally, self._known)]
        failures = found.tally.failures.items()
        raws = [lanes.raw_stored(self._entrant, self._settings.seed, key, f, data[f.case]) for key, f in failures]
        notes = [lanes.not_replayed(self._entrant.label, data[place].digest, why) for place, why in found.refused]
        for record in (*rows, *raws, *notes):
            self._writer.write(record)

    def worst(self) -> list[tuple[str, int]]:
        """The quantities that are not always bitwise equal, each with the number of the case in which it has its largest margin."""
        return [(name, self._largest[name][1]) for name in self._spec.quantities if name in self._largest]

    def leads(self, gate: Gate | None) -> list[tuple[tuple[str, str, str], int]]:
        """Of the rows that fail in the same way the first one that `gate` does not list: it is made small, and stands for the others."""
        order = {name: i for i, name in enumerate((*self._spec.branches, *self._settings.dtypes))}

        def place(key: tuple[str, str, str]) -> tuple[bool, int, int, str]:
            return entry_for(gate, (self._entrant.label, *key)) is not None, order[key[0]], order[key[1]], key[2]

        found: dict[tuple[str, str], tuple[tuple[str, str, str], int]] = {}
        for key, failure in sorted(self.failures.items(), key=lambda item: place(item[0])):
            found.setdefault((key[2], failure.finding.reason), (key, failure.case))
        return list(found.values())

    def _write_raw(self, key: tuple[str, str, str], failure: Failure) -> None:
        raw = jobs.raw_counterexample(self._entrant, self._settings.seed, self._dtypes, failure.case, key, failure.finding)
        self._writer.write(raw)

    @property
    def _dtypes(self) -> tuple[str, ...]:
        return dtypes_of(self._spec, self._settings)


def judge_entrant(
    entrant: Entrant,
    settings: Settings,
    pool: Executor | None,
    writer: Writer,
    progress: Progress,
    stored: Sequence[lanes.Place] = (),
    gate: Gate | None = None,
) -> None:
    """Judge one entrant, on the cases `stored` first, and write what is found to `writer`; without a `pool` in this process.

    What `gate` lists as known is made small only where nothing else fails alike.
    """
    spec = entrant.judged_by()
    dtypes = dtypes_of(spec, settings)
    record = _Record(entrant, spec, settings, writer)
    for row in not_claimed(entrant, settings):
        writer.write(row)
    failed = _replay(entrant, settings, pool, record, stored)
    small = pool is None or entrant.target is not None
    chunks = [(entrant, settings.seed, dtypes, start, stop) for start, stop in spans(settings, SMALL_CHUNK if small else CHUNK)]
    done = 0
    try:
        for (*_, start, stop), part in _run(pool, jobs.sweep_chunk, chunks):
            record.add(part)
            done += stop - start
            progress(entrant.label, stop - start)
            if part.given_up:
                # nothing would come of the rest
                progress(entrant.label, sum(stop - start for *_, start, stop in chunks) - done)
                break
    finally:
        record.end()
    for _, counterexample in _run(pool, lanes.explained_stored, failed):
        if isinstance(counterexample, Counterexample):
            writer.write(counterexample)
    wanted = [(entrant, settings.seed, dtypes, index, key) for key, index in record.leads(gate)]
    for _, counterexample in _run(pool, jobs.minimised, wanted):
        if isinstance(counterexample, Counterexample):
            writer.write(counterexample)
    for _, found in _run(pool, jobs.worst, [(entrant, settings.seed, dtypes, index, name) for name, index in record.worst()]):
        if isinstance(found, Worst):
            writer.write(found)


def _replay(entrant: Entrant, settings: Settings, pool: Executor | None, record: _Record, stored: Sequence[lanes.Place]) -> list[Any]:
    """Judge the stored cases; the calls that explain those that fail."""
    data = dict(stored)
    failures: dict[jobs.Key, Failure] = {}
    calls = [(entrant, stored[at : at + SMALL_CHUNK]) for at in range(0, len(stored), SMALL_CHUNK)]
    for _, replayed in _run(pool, lanes.replay_stored, calls):
        record.replayed(replayed, data)
        for key, failure in replayed.tally.failures.items():
            if key not in failures or failure.case < failures[key].case:
                failures[key] = failure
    return [(entrant, settings.seed, f.case, key, data[f.case]) for key, f in lanes.first_of_each(failures)]


def spans(settings: Settings, chunk: int) -> list[tuple[int, int]]:
    """The cases of this run, or of this shard of one, in chunks. Whatever their size, a shard has the same cases."""
    if settings.shard is None:
        return [(start, min(start + chunk, settings.examples)) for start in range(0, settings.examples, chunk)]
    k, n = settings.shard
    starts = range((k - 1) * SMALL_CHUNK, settings.examples, n * SMALL_CHUNK)
    return [(start, min(start + SMALL_CHUNK, settings.examples)) for start in starts]


def _run(pool: Executor | None, job: Callable[..., Any], calls: list[tuple[Any, ...]]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The results of `job` for all `calls`, as they come. No more than a few are in flight, so that stopping is quick."""
    if pool is None:
        for call in calls:
            yield call, job(*call)
        return
    waiting = iter(calls)
    flying: dict[Future[Any], tuple[Any, ...]] = {}
    try:
        while True:
            for call in itertools.islice(waiting, IN_FLIGHT - len(flying)):
                flying[pool.submit(job, *call)] = call
            if not flying:
                return
            done, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in done:
                yield flying.pop(future), future.result()
    finally:
        for future in flying:
            future.cancel()
