"""Small nets, small data, and trainings of a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from oracle.nets.batches import Data
from oracle.nets.plan import TrainingPlan, shapes
from oracle.nets.resuming import resumption
from oracle.nets.steps import Trainee
from oracle.nets.training import train
from oracle.nets.twin import scores_of, twin_of, wrong_order_of
from oracle.results import Environment
from oracle.results.training import Training, TrainingRow, TrainingSettings, TrainingWriter, read_training
from oracle.subjects.isolated_net import IsolatedNet, Limits
from oracle.subjects.nets import made
from oracle.subjects.target import parse_target

ROOT = Path(__file__).parents[2]
SIZES = (12, 7, 4)
BATCH = 20
PATIENT = Limits()._replace(case_seconds=60.0)
"""For busy machines."""
NetOf = Callable[[str], AbstractContextManager[Trainee]]
ENVIRONMENT = Environment(
    gradconform="1", python="3.11", numpy="2", torch="2", hypothesis=None, platform="here", machine="this", blas="some"
)


def digits(n: int = 200, inputs: int = 12, classes: int = 4, n_test: int = 40, seed: int = 1) -> Data:
    """Rows that can be told apart, with an eighth of their numbers 0, as index labels."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((classes, inputs))
    t = rng.integers(0, classes, n + n_test)
    x = (centres[t] + rng.standard_normal((n + n_test, inputs))) * (rng.random((n + n_test, inputs)) > 1 / 8)
    x = x.astype(np.float32)
    return Data(x[:n], t[:n], x[n:], t[n:], f"{n} rows")


def net_of(thing: Any, args: tuple[int, ...] = SIZES) -> NetOf:
    """Makes the net in this process, the same each time."""

    def make(dtype: str) -> Any:
        np.random.seed(7)
        return made(thing, args, dtype)

    return make


def isolated(dtype: str, source: Path | None = None, limits: Limits = PATIENT) -> IsolatedNet:
    """The textbook's net, or the one in the file `source`, in a process of its own."""
    target = f"{ROOT / 'tests/mutants/nets/textbook.py'}:TwoLayerNet" if source is None else str(source)
    return IsolatedNet(parse_target(target), None, SIZES, dtype, (str(ROOT),), limits)


def planned(make: NetOf, steps: int = 25, data: Data | None = None, **how: Any) -> TrainingPlan:
    """A plan of a training of small numbers. how: settings, and torch and activation for the twin, planted, source, name."""
    data = digits() if data is None else data
    dtypes = how.pop("dtypes", ("float64", "float32"))
    told = {"batch": BATCH, "lr": 0.1, "seed": 0, "epoch": 10, "shadows": 2, **{k: how.pop(k) for k in SETTINGS if k in how}}
    described: tuple[Mapping[str, Any], Any, str] = (_params(make, dtypes[0]), how.pop("torch", None), how.pop("activation", "relu"))
    return TrainingPlan(
        name=how.pop("name", "Net"),
        net_of=make,
        parameters=shapes(dict(described[0])),
        spec=twin_of(*described),
        scores=scores_of(*described),
        wrong_order=wrong_order_of(*described),
        data=data,
        settings=TrainingSettings(dtypes=dtypes, steps=steps, data=data.text, n_train=len(data.x_train), n_test=len(data.x_test), **told),
        environment=ENVIRONMENT,
        command="gradconform train",
        planted=how.pop("planted", False),
        **how,
    )


SETTINGS = ("batch", "lr", "seed", "epoch", "shadows")


def _params(make: NetOf, dtype: str) -> Mapping[str, Any]:
    with make(dtype) as net:
        return net.params()


def trained(plan: TrainingPlan, folder: Path, resume: bool = False, progress: Callable[[str, int], None] | None = None) -> Training:
    """The training that `plan` asks for, as it is read from the file."""
    path = folder / "training.jsonl"
    kept, resumed = resumption(path, plan) if resume else ((), {})
    with TrainingWriter(path, plan.header(), kept) as writer:
        train(plan, writer, resumed, progress or (lambda dtype, n: None))
    return read_training(path)


def rows(training: Training, dtype: str = "float64") -> dict[str, TrainingRow]:
    """The rows of a dtype, by quantity."""
    return {r.quantity: r for r in training.rows if r.dtype == dtype}


def failing(training: Training, dtype: str = "float64") -> dict[str, int | None]:
    """The rows that failed, and at which step first."""
    return {name: r.first_failed for name, r in rows(training, dtype).items() if r.status == "failed"}


def said(training: Training, dtype: str = "float64") -> dict[str, str]:
    """The diagnoses, by quantity."""
    return {d.quantity: d.diagnosis for d in training.divergences if d.dtype == dtype and d.diagnosis}


def lasting(training: Training) -> Training:
    """What is the same whenever and wherever a training is run: all but clocks and names."""
    header = training.header.model_copy(update={"run_id": "", "started": ""})
    timings = tuple(t.model_copy(update={"actual_seconds": 0, "expected_seconds": 0}) for t in training.timings)
    footer = training.footer and training.footer.model_copy(update={"finished": "", "seconds": 0})
    # what was written first depends on where it was stopped
    parts = {name: getattr(training, name) for name in ("rows", "divergences", "epochs", "checkpoints")}
    found = {name: tuple(sorted(part, key=lambda r: r.dtype)) for name, part in {**parts, "timings": timings}.items()}
    return training.model_copy(update={"header": header, "footer": footer, **found})
