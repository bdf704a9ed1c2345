"""Going on with a training that was interrupted: from its last checkpoint, in the same file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from oracle.nets.checkpoints import State, read_checkpoint
from oracle.nets.plan import TrainingPlan
from oracle.nets.tallies import Rows
from oracle.nets.training import Resumed
from oracle.results import ResultsError
from oracle.results.model import Planted
from oracle.results.training import Checkpoint, Timing, TrainingHeader, TrainingRow
from oracle.results.training.codec import read_lines
from oracle.results.training.model import TrainingLine


class Resumption(NamedTuple):
    """The lines that stay, and where each dtype that has begun goes on."""

    kept: tuple[TrainingLine, ...]
    resumed: dict[str, Resumed]


def resumption(path: Path, plan: TrainingPlan) -> Resumption:
    """What is to be gone on with at `path`, by `plan`, which may have more steps. Raises ResultsError where it is no part of the plan."""
    if not path.exists():
        raise ResultsError(f"there is no training to go on with in {path.parent}: {path.name} is missing. Leave --resume out to begin one.")
    header, records, _ = read_lines(path)
    _same(path, header, plan)
    states = _states(path, records, plan)
    if not states:
        return Resumption((), {})
    kept = _kept(records, states, plan)
    resumed = {dtype: Resumed(state, _rows(dtype, kept, plan), _timing(dtype, kept)) for dtype, (_, state) in states.items()}
    return Resumption(kept, resumed)


def _states(path: Path, records: Sequence[TrainingLine], plan: TrainingPlan) -> dict[str, tuple[int, State]]:
    """By dtype the last checkpoint that is whole: its place among the records, and its state."""
    found: dict[str, tuple[int, State]] = {}
    for at, record in enumerate(records):
        if isinstance(record, Checkpoint):
            state = read_checkpoint(path.parent, record, plan.parameters, plan.settings.shadows)
            if state is not None:
                found[record.dtype] = (at, state)
    return found


def _kept(records: Sequence[TrainingLine], states: dict[str, tuple[int, State]], plan: TrainingPlan) -> tuple[TrainingLine, ...]:
    """The lines that stay. Of a dtype those up to its checkpoint; none of one that begins again, which would stand before the new ones."""
    last = {dtype: at for dtype, (at, _) in states.items()}
    # broken nets are planted in the first dtype
    last_planted = last.get(plan.settings.dtypes[0], -1)
    return tuple(
        r for at, r in enumerate(records) if at <= (last_planted if isinstance(r, Planted) else last.get(getattr(r, "dtype", ""), -1))
    )


def _same(path: Path, header: TrainingHeader, plan: TrainingPlan) -> None:
    """Raises ResultsError where another training was begun than the one that is asked for."""
    mine = plan.header()
    for what, a, b in (
        *[
            (name, getattr(header.settings, name), getattr(mine.settings, name))
            for name in type(mine.settings).model_fields
            if name != "steps"
        ],
        *[(name, getattr(header.net, name), getattr(mine.net, name)) for name in type(mine.net).model_fields],
    ):
        if a != b:
            told = "the net's code has changed since" if what == "source" else f"{what} was {a} and is now {b}"
            raise ResultsError(f"{path} cannot be gone on with: {told}. Train as before, or without --resume from the beginning.")


def _rows(dtype: str, kept: Sequence[TrainingLine], plan: TrainingPlan) -> Rows:
    rows = Rows(dtype, plan.spec.wrt)
    rows.restore(r for r in kept if isinstance(r, TrainingRow))
    return rows


def _timing(dtype: str, kept: Sequence[TrainingLine]) -> Timing:
    timings = [r for r in kept if isinstance(r, Timing) and r.dtype == dtype]
    return timings[-1] if timings else Timing(dtype=dtype, steps=0, actual_seconds=0, expected_seconds=0)
