"""Reading and writing training files, as `oracle.results.codec` does for runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from oracle.results.codec import Appending, first_trouble, lines_of, version_of
from oracle.results.errors import ResultsError
from oracle.results.model import Footer, Planted
from oracle.results.training.model import (
    TRAINING_SCHEMA_VERSION,
    Checkpoint,
    Epoch,
    Steps,
    Timing,
    Training,
    TrainingDivergence,
    TrainingHeader,
    TrainingLine,
    TrainingRow,
)

_LINE: TypeAdapter[TrainingLine] = TypeAdapter(TrainingLine)


class TrainingWriter(Appending):
    """Writes a training, beginning with its header and, where one is resumed, the lines of it that are `kept`; see `Appending`."""

    def __init__(self, path: Path, header: TrainingHeader, kept: Sequence[TrainingLine] = ()) -> None:
        super().__init__(path, [header, *kept])


def read_training(path: Path) -> Training:
    """The training stored in `path`. A damaged line after the header is counted and passed over. Raises ResultsError."""
    header, records, damaged = read_lines(path)
    return assembled(header, records, damaged)


def read_lines(path: Path) -> tuple[TrainingHeader, list[TrainingLine], int]:
    """Header, records and the number of damaged lines of `path`. Raises ResultsError."""
    with lines_of(path) as lines:
        header = _header(path, next(lines, b""))
        records: list[TrainingLine] = []
        damaged = 0
        for line in lines:
            try:
                records.append(_LINE.validate_json(line))
            except ValidationError:
                damaged += 1
    if any(isinstance(record, TrainingHeader) for record in records):
        raise ResultsError(f"{path} holds more than one training. Take it apart where a header begins.")
    return header, records, damaged


def _header(path: Path, line: bytes) -> TrainingHeader:
    version = version_of(line)
    if version is not None and version > TRAINING_SCHEMA_VERSION and b'"training"' in line[:40]:
        raise ResultsError(
            f"{path} was written with training schema {version}; this one reads up to {TRAINING_SCHEMA_VERSION}. Update gradconform."
        )
    try:
        header = _LINE.validate_json(line)
    except ValidationError as error:
        raise ResultsError(f"{path} is no training of gradconform's: its first line is no header ({first_trouble(error)}).") from None
    if not isinstance(header, TrainingHeader):
        raise ResultsError(f"{path} is no training of gradconform's: its first line is a {header.kind}, not a header.")
    return header


def assembled(header: TrainingHeader, records: Sequence[TrainingLine], damaged: int = 0) -> Training:
    """The records that follow `header`: of lines with one key the last, the blocks of steps joined."""
    blocks: dict[str, list[Steps]] = {}
    for record in records:
        if isinstance(record, Steps):
            blocks.setdefault(record.dtype, []).append(record)
    footers = [r for r in records if isinstance(r, Footer)]
    return Training(
        header=header,
        steps={dtype: joined(parts) for dtype, parts in blocks.items()},
        rows=tuple({(r.dtype, r.quantity): r for r in records if isinstance(r, TrainingRow)}.values()),
        divergences=tuple({(r.dtype, r.quantity): r for r in records if isinstance(r, TrainingDivergence)}.values()),
        epochs=tuple({(r.dtype, r.epoch): r for r in records if isinstance(r, Epoch)}.values()),
        timings=tuple({r.dtype: r for r in records if isinstance(r, Timing)}.values()),
        checkpoints=tuple({r.dtype: r for r in records if isinstance(r, Checkpoint)}.values()),
        planted=tuple({r.name: r for r in records if isinstance(r, Planted)}.values()),
        footer=footers[-1] if footers else None,
        n_damaged=damaged,
    )


def joined(blocks: Sequence[Steps]) -> Steps:
    """Blocks of one dtype as one. What does not follow on the steps before it is left out, so that a lost block shows as fewer steps."""
    first = blocks[0]
    kept: list[Steps] = []
    following = first.first
    for block in blocks:
        if block.first == following and _alike(block, first):
            kept.append(block)
            following += len(block.actual)
    names = ("actual", "expected", "distance", "allowed", "shadow", "injected")
    columns = {name: _end_to_end(getattr(b, name) for b in kept) for name in names}
    distances = {name: _end_to_end(b.distances[name] for b in kept) for name in first.distances}
    margins = {name: tuple(chain.from_iterable(b.margins[name] for b in kept)) for name in first.margins}
    return first.model_copy(update={**columns, "distances": distances, "margins": margins})


def _alike(a: Steps, b: Steps) -> bool:
    return set(a.distances) == set(b.distances) and set(a.margins) == set(b.margins)


def _end_to_end(columns: Iterable[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(chain.from_iterable(columns))
