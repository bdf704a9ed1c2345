"""Reading and writing results files: JSON lines, header first, footer last, every line on disk as soon as it is known."""

from __future__ import annotations

import json
import os
import stat
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, TextIO, TypeVar

from pydantic import TypeAdapter, ValidationError

from oracle.results.errors import ResultsError, WritingStopped
from oracle.results.gate import gated
from oracle.results.held import held
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

__all__ = ["ResultsError", "ResultsWriter", "WritingStopped", "add_results", "assembled", "read_run"]

_LINE: TypeAdapter[Line] = TypeAdapter(Line)
MAX_LINE = 64 * 2**20
"""Bytes; a longer line is damage, not a result: the largest case the sweep draws takes a few MiB."""
MAX_FILE = 512 * 2**20
"""Bytes; a thorough run of every layer writes a few MiB."""


class Appending:
    """Writes records line by line to `path`; each line is flushed to the operating system before `write` returns.

    The file is created new: an older one under the same name is replaced only once the records of `first` are written. Until the
    writer is left no other run can write to the folder. Raises ResultsError.
    """

    def __init__(self, path: Path, first: Sequence[Record]) -> None:
        self.path = path
        with ExitStack() as undo:
            undo.enter_context(held(path.parent))
            partial = path.with_name(f".{path.name}.{os.getpid()}")
            try:
                self._file: TextIO = undo.enter_context(partial.open("w", encoding="utf-8", newline="\n"))
                for record in first:
                    self.write(record)
                os.replace(partial, path)
            except OSError as error:
                partial.unlink(missing_ok=True)
                raise ResultsError(f"cannot write results to {path}: {error.strerror}. Choose another folder with --out.") from error
            self._leave = undo.pop_all()

    def write(self, record: Record) -> None:
        """Append one record. Raises WritingStopped."""
        try:
            self._file.write(record.model_dump_json(exclude_defaults=False) + "\n")
            self._file.flush()
        except OSError as error:
            told = f"{self.path} could be written no further: {error.strerror}. What was found until then is in it."
            raise WritingStopped(f"{told} Make room, or choose another folder with --out.") from error

    def __enter__(self: Writer) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._leave.close()
        except OSError:
            # what a full disk has not taken yet; `write` has said so
            if error is None:
                raise


Writer = TypeVar("Writer", bound=Appending)


class ResultsWriter(Appending):
    """Writes a run, beginning with its header; see `Appending`."""

    def __init__(self, path: Path, header: Header) -> None:
        super().__init__(path, [header])


def read_run(path: Path) -> Run:
    """The run stored in `path`, its parts summed.

    A damaged or half-written line after the header is counted in `Run.n_damaged` and passed over, so that what was found before a
    crash can still be read; so is whatever follows the footer. Raises ResultsError if the file cannot be read at all: missing, no plain
    file, too large, no header, two of them, or a newer schema.
    """
    with lines_of(path) as lines:
        header = _header(path, next(lines, b""))
        records, damaged = _records(path, lines)
    return assembled(header, records, damaged)


@contextmanager
def lines_of(path: Path) -> Iterator[Iterator[bytes]]:
    """The lines of a results file. Raises ResultsError where it is missing, no plain file, or too large."""
    try:
        with open(path, "rb", opener=_opener) as file:
            _check_file(path, file.fileno())
            yield _lines(file)
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}.") from error


def _opener(name: str, flags: int) -> int:
    """Opens without waiting: a pipe that nobody writes to would be waited for for ever."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def _check_file(path: Path, handle: int) -> None:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise ResultsError(f"cannot read {path}: it is no plain file. Name a results file, such as results.jsonl.")
    if found.st_size > MAX_FILE:
        raise ResultsError(f"cannot read {path}: it has {found.st_size:,} bytes, and no run writes more than {MAX_FILE:,}.")


def _records(path: Path, lines: Iterable[bytes]) -> tuple[list[Line], int]:
    """The records of `lines`, and how many of these are damaged."""
    records: list[Line] = []
    damaged = 0
    ended = False
    for line in lines:
        try:
            record = _LINE.validate_json(line)
        except ValidationError:
            damaged += 1
            continue
        if isinstance(record, Header):
            raise ResultsError(f"{path} holds more than one run. Take it apart where a header begins; runs are put together by merge.")
        damaged += ended
        if not ended:
            records.append(record)
        ended = ended or isinstance(record, Footer)
    return records, damaged


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


def _lines(file: BinaryIO) -> Iterator[bytes]:
    # editors on some systems put a byte order mark in front
    if file.read(len(BOM_UTF8)) != BOM_UTF8:
        file.seek(0)
    while line := file.readline(MAX_LINE + 1):
        if line.strip():
            yield line


def _header(path: Path, line: bytes) -> Header:
    if line.startswith(b"\x1f\x8b"):
        raise ResultsError(f"{path} is compressed. Unpack it first.")
    version = version_of(line)
    if version is not None and version > SCHEMA_VERSION:
        raise ResultsError(
            f"{path} was written with results schema {version}; this gradconform reads up to {SCHEMA_VERSION}. Update gradconform."
        )
    try:
        header = _LINE.validate_json(line)
    except ValidationError as error:
        raise ResultsError(f"{path} is not a gradconform results file: its first line is no header ({first_trouble(error)}).") from None
    if not isinstance(header, Header):
        raise ResultsError(f"{path} is not a gradconform results file: its first line is a {header.kind}, not a header.")
    return header


def version_of(line: bytes) -> int | None:
    """The schema version that a header says; None where it says none."""
    try:
        version = json.loads(line)["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return version if isinstance(version, int) else None


def first_trouble(error: ValidationError) -> str:
    """What is wrong with a record, in short: where, and what."""
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
    """Two parts of one row as one. Addition is commutative: of equal margins the lower case index is kept, and of messages that of the
    first failing case."""
    counts = ("n_judged", "n_failed", "n_inconclusive", "n_elements", "n_undetermined", "n_replayed", "n_replay_failed")
    worst = min((a, b), key=lambda r: (-_size(r.margin), r.worst_case if r.worst_case is not None else 2**63))
    sums = {name: getattr(a, name) + getattr(b, name) for name in counts}
    status = max((a.status, b.status), key=_SEVERITY.index)
    outcomes = {a.worst_outcome, b.worst_outcome}
    outcome = next((o for o in ("differs", "imprecise") if o in outcomes), None)
    first = min((a, b), key=_telling)
    kept = {"margin": worst.margin, "worst_case": worst.worst_case, "worst_outcome": outcome}
    told = {"message": first.message, "first_failed": first.first_failed}
    histograms = {name: _added(getattr(a, name), getattr(b, name)) for name in ("margins", "ulps")}
    return a.model_copy(update={**sums, **kept, **told, **histograms, "status": status})


def _telling(part: Result) -> tuple[bool, int, float, str]:
    """Order of parts by what they tell of a row: its first failing case. Where that is not known, as in older files, the largest margin."""
    number = 2**63 if part.first_failed is None else part.first_failed
    return not part.message, number, -_size(part.margin), part.message


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
