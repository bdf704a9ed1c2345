"""Reading and writing results files: JSON lines, header first, footer last, every line on disk as soon as it is known."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TextIO

from pydantic import TypeAdapter, ValidationError

from oracle.results.gate import gated
from oracle.results.model import (
    SCHEMA_VERSION,
    Counterexample,
    Depth,
    Footer,
    Header,
    Health,
    Line,
    Note,
    Planted,
    Record,
    Result,
    Run,
    Sample,
    Seen,
    Worst,
)

_LINE: TypeAdapter[Line] = TypeAdapter(Line)
MAX_LINE = 64 * 2**20
"""Bytes; a longer line is damage, not a result: the largest case the sweep draws takes a few MiB."""


class ResultsError(Exception):
    """A results file that cannot be used, with the reason and what to do."""


class ResultsWriter:
    """Writes a run line by line to `path`; each line is flushed to the operating system before `write` returns.

    The file is created new: an older run under the same name is replaced only once the header of this one is written.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: TextIO = partial.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise ResultsError(f"cannot write results to {path}: {error.strerror}. Choose another folder with --out.") from error
        self.write(header)
        os.replace(partial, path)

    def write(self, record: Record) -> None:
        """Append one record."""
        self._file.write(record.model_dump_json(exclude_defaults=False) + "\n")
        self._file.flush()

    def __enter__(self) -> ResultsWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()


def read_run(path: Path) -> Run:
    """The run stored in `path`, its parts summed.

    A damaged or half-written line after the header is counted in `Run.n_damaged` and passed over, so that what was found before a
    crash can still be read. Raises ResultsError if the file cannot be read at all: missing, no header, or a newer schema.
    """
    try:
        lines = _lines(path)
        header = _header(path, next(lines, b""))
        records: list[Line] = []
        damaged = 0
        for line in lines:
            try:
                records.append(_LINE.validate_json(line))
            except ValidationError:
                damaged += 1
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}.") from error
    return assembled(header, records, damaged)


def assembled(header: Header, records: Sequence[Line], damaged: int = 0) -> Run:
    """The records that follow `header` as a run, its parts summed."""
    footers = [r for r in records if isinstance(r, Footer)]
    complete = bool(footers) and footers[-1].outcome == "complete" and not damaged
    return Run(
        header=header,
        results=gated(_summed(r for r in records if isinstance(r, Result)), header, complete),
        depths=_summed_depths(r for r in records if isinstance(r, Depth)),
        counterexamples=tuple({r.id: r for r in records if isinstance(r, Counterexample)}.values()),
        notes=tuple(dict.fromkeys(r for r in records if isinstance(r, Note))),
        worsts=tuple({(r.layer, r.quantity): r for r in records if isinstance(r, Worst)}.values()),
        samples=tuple({(r.layer, r.branch, r.dtype, r.index): r for r in records if isinstance(r, Sample)}.values()),
        planted=tuple({(r.layer, r.family, r.name): r for r in records if isinstance(r, Planted)}.values()),
        health=tuple({(r.layer, r.branch, r.quantity): r for r in records if isinstance(r, Health)}.values()),
        seen=tuple(r for r in records if isinstance(r, Seen)),
        footer=footers[-1] if footers else None,
        n_damaged=damaged,
    )


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE + 1):
            if line.strip():
                yield line


def _header(path: Path, line: bytes) -> Header:
    version = _version_of(line)
    if version is not None and version > SCHEMA_VERSION:
        raise ResultsError(
            f"{path} was written with results schema {version}; this gradconform reads up to {SCHEMA_VERSION}. Update gradconform."
        )
    try:
        header = _LINE.validate_json(line)
    except ValidationError as error:
        raise ResultsError(f"{path} is not a gradconform results file: its first line is no header ({_first(error)}).") from None
    if not isinstance(header, Header):
        raise ResultsError(f"{path} is not a gradconform results file: its first line is a {header.kind}, not a header.")
    return header


def _version_of(line: bytes) -> int | None:
    try:
        version = json.loads(line)["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return version if isinstance(version, int) else None


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def _summed(parts: Iterable[Result]) -> tuple[Result, ...]:
    """One Result per row: counts added, the worst margin kept with what belongs to it."""
    rows: dict[tuple[str, str, str, str], Result] = {}
    for part in parts:
        row = rows.get(part.key)
        rows[part.key] = part if row is None else add_results(row, part)
    return tuple(rows.values())


def add_results(a: Result, b: Result) -> Result:
    """Two parts of one row as one. Addition is commutative: of equal margins the lower case index is kept."""
    counts = ("n_judged", "n_failed", "n_inconclusive", "n_elements", "n_undetermined", "n_replayed", "n_replay_failed")
    worst = min((a, b), key=lambda r: (-_size(r.margin), r.worst_case if r.worst_case is not None else 2**63))
    sums = {name: getattr(a, name) + getattr(b, name) for name in counts}
    status = max((a.status, b.status), key=_SEVERITY.index)
    outcomes = {a.worst_outcome, b.worst_outcome}
    outcome = next((o for o in ("differs", "imprecise") if o in outcomes), None)
    message = next((r.message for r in (worst, a, b) if r.message), "")
    kept = {"margin": worst.margin, "worst_case": worst.worst_case, "worst_outcome": outcome, "message": message}
    histograms = {name: _added(getattr(a, name), getattr(b, name)) for name in ("margins", "ulps")}
    return a.model_copy(update={**sums, **kept, **histograms, "status": status})


def _added(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    return dict(Counter(a) + Counter(b))


_SEVERITY = ("not-run", "not-claimed", "skipped", "passed", "known", "stale", "failed", "error")


def _size(margin: float | None) -> float:
    """Order of margins: none below all, NaN above all."""
    if margin is None:
        return -1.0
    return float("inf") if margin != margin else margin


def _summed_depths(parts: Iterable[Depth]) -> tuple[Depth, ...]:
    rows: dict[tuple[str, str, str], Depth] = {}
    for part in parts:
        key = (part.layer, part.branch, part.dtype)
        row = rows.get(key)
        rows[key] = part if row is None else _add_depths(row, part)
    return tuple(rows.values())


def _add_depths(a: Depth, b: Depth) -> Depth:
    counts = {name: getattr(a, name) + getattr(b, name) for name in ("n_cases", "n_distinct", "n_discarded", "n_examined", "n_shapes")}
    tables = {
        name: _added(getattr(a, name), getattr(b, name)) for name in ("boundaries", "protocols", "layouts", "profiles", "shapes", "extents")
    }
    return a.model_copy(update={**counts, **tables})
