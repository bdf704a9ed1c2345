"""A whole run: every layer swept over a pool of processes, counterexamples made small, all of it written as it becomes known."""

from __future__ import annotations

import datetime
import itertools
import os
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from oracle.core.contracts import CONTRACTS, declared
from oracle.core.spec import LayerSpec
from oracle.results import ContractInfo, Counterexample, Environment, Expected, Footer, Header, LayerInfo, ResultsWriter, Settings
from oracle.results.model import SCHEMA_VERSION, Depth, Result
from oracle.search import jobs
from oracle.search.tally import GroupDepth, Tally, depths, results
from oracle.specs import spec_named

CHUNK = 1024
"""Cases of one job; a multiple of the sweep's block."""
FLUSH_SECONDS = 2.0
"""At most so much work is lost when the run is killed."""
IN_FLIGHT = 8
"""Jobs handed out at a time: enough to keep every worker busy, few enough to stop at once."""

Progress = Callable[[str, int], None]


def campaign(settings: Settings, environment: Environment, command: str, path: Path, progress: Progress) -> None:
    """Run `settings` and write the results to `path`; `progress(layer, n)` is called when n more cases of a layer are done.

    Ctrl-C and a worker that dies leave everything found so far in the file, with a footer that says so. Raises ResultsError if
    `path` cannot be written.
    """
    specs = [spec_named(name) for name in settings.layers]
    began = time.monotonic()
    outcome, message = "complete", ""
    with ResultsWriter(path, _header(settings, environment, command, specs)) as writer:
        try:
            with _pool(settings.workers) as pool:
                for spec in specs:
                    _judge_layer(spec, settings, pool, writer, progress)
        except KeyboardInterrupt:
            outcome, message = "interrupted", "stopped by the user"
        except BrokenProcessPool:
            outcome, message = "failed", "a worker process died; its cases are not in this file"
        writer.write(Footer(finished=_now(), seconds=time.monotonic() - began, outcome=outcome, message=message))  # type: ignore[arg-type]


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _header(settings: Settings, environment: Environment, command: str, specs: list[LayerSpec]) -> Header:
    contracts = {spec.name: {branch: declared(spec, branch) for branch in spec.branches} for spec in specs}
    return Header(
        schema_version=SCHEMA_VERSION,
        run_id=uuid.uuid4().hex,
        started=_now(),
        command=command,
        environment=environment,
        settings=settings,
        layers=tuple(
            LayerInfo(
                name=spec.name,
                subject=f"{spec.layer.__module__}.{spec.layer.__qualname__}",
                torch="\n".join(dict.fromkeys(spec.expression(branch) for branch in spec.branches)),
                summary=spec.summary,
                check_version=spec.check_version,
                branches=spec.branches,
                quantities=spec.quantities,
                contracts=tuple(dict.fromkeys(c for ids in contracts[spec.name].values() for c in ids)),
            )
            for spec in specs
        ),
        contracts=tuple(ContractInfo(id=c.id, version=c.version, explanation=c.explanation) for c in CONTRACTS.values()),
        expected=tuple(
            Expected(layer=spec.name, branch=branch, dtype=dtype, quantity=quantity)
            for spec in specs
            for branch in spec.branches
            for dtype in settings.dtypes
            for quantity in (*spec.quantities, *contracts[spec.name][branch])
        ),
    )


@contextmanager
def _pool(workers: int) -> Iterator[Executor | None]:
    """A pool of fresh processes, or None to work in this one. On the way out nothing is waited for that has not begun."""
    # one thread a process: the cases are small, and a BLAS of many threads in each of many workers only waits for itself
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if workers <= 1:
        yield None
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=jobs.prepare)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _LayerRecord:
    """What is known of one layer: counted, written in parts, and its first failing cases."""

    def __init__(self, spec: LayerSpec, settings: Settings, writer: ResultsWriter) -> None:
        self._spec, self._settings, self._writer = spec, settings, writer
        self._part = Tally(spec)
        self._known: dict[tuple[str, str], GroupDepth] = {}
        self._flushed = time.monotonic()
        self.failures: dict[tuple[str, str, str], int] = {}

    def add(self, part: Tally) -> None:
        """Count a part; a row that fails for the first time has its case written at once."""
        self._part.merge(part)
        for key, failure in part.failures.items():
            if key not in self.failures or failure.case < self.failures[key]:
                self.failures[key] = failure.case
                self._write_raw(key, failure.case)
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what has been counted since the last time."""
        rows: list[Result | Depth] = [*results(self._part, self._spec), *depths(self._part, self._known)]
        for row in rows:
            self._writer.write(row)
        self._part = Tally(self._spec)
        self._flushed = time.monotonic()

    def _write_raw(self, key: tuple[str, str, str], index: int) -> None:
        finding = self._part.failures[key].finding
        self._writer.write(jobs.raw_counterexample(self._spec, self._settings.seed, self._settings.dtypes, index, key, finding))


def _judge_layer(spec: LayerSpec, settings: Settings, pool: Executor | None, writer: ResultsWriter, progress: Progress) -> None:
    record = _LayerRecord(spec, settings, writer)
    starts = range(0, settings.examples, CHUNK)
    chunks = [(spec.name, settings.seed, settings.dtypes, start, min(start + CHUNK, settings.examples)) for start in starts]
    try:
        for chunk, part in _run(pool, jobs.sweep_chunk, chunks):
            record.add(part)
            progress(spec.name, chunk[4] - chunk[3])
    finally:
        record.flush()
    wanted = [(spec.name, settings.seed, settings.dtypes, index, key) for key, index in sorted(record.failures.items())]
    for _, counterexample in _run(pool, jobs.minimised, wanted):
        if isinstance(counterexample, Counterexample):
            writer.write(counterexample)


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
