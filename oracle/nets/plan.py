"""What a training sets out to do, and how it declares it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from oracle.core.case import Arrays
from oracle.core.spec import LayerSpec
from oracle.nets.batches import Batch, Data, batch
from oracle.nets.planted import faults_for
from oracle.nets.steps import Trainee
from oracle.results import Environment
from oracle.results.training import TRAINING_SCHEMA_VERSION, NetInfo, TrainingHeader, TrainingSettings
from oracle.search.declaration import now


@dataclass(frozen=True)
class TrainingPlan:
    """All that is needed to train a net beside its twin.

    net_of: makes the net for a dtype, with parameters that it has drawn; leaving its context ends it. spec: the twin, a spec of the
    loss; scores: its scores as an expression, empty where only the loss is known; wrong_order: the twin of the same layers in another
    order, for a planted fault. planted: whether broken nets are put to the test.
    """

    name: str
    net_of: Callable[[str], AbstractContextManager[Trainee]]
    parameters: Mapping[str, tuple[int, ...]]
    spec: LayerSpec
    scores: str
    wrong_order: LayerSpec | None
    data: Data
    settings: TrainingSettings
    environment: Environment
    command: str
    target: str = ""
    summary: str = ""
    source: str = ""
    label: str = ""
    planted: bool = True

    def batch(self, number: int, dtype: str) -> Batch:
        """The batch of step `number`."""
        return batch(self.data, self.settings.seed, number, self.settings.batch, dtype)

    def header(self) -> TrainingHeader:
        """The first line of the training file."""
        return TrainingHeader(
            schema_version=TRAINING_SCHEMA_VERSION,
            run_id=uuid.uuid4().hex,
            started=now(),
            command=self.command,
            environment=self.environment,
            settings=self.settings,
            net=NetInfo(
                name=self.name,
                target=self.target,
                torch=self.spec.expression("index"),
                summary=self.summary,
                parameters=dict(self.parameters),
                source=self.source,
            ),
            n_planted=len(faults_for(self.wrong_order)) if self.planted else None,
            label=self.label,
        )


def shapes(params: Arrays) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter."""
    return {name: a.shape for name, a in params.items()}
