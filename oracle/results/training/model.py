"""The records of a training file: one net trained beside its twin, JSON lines told apart by `kind`.

Schema history
--------------
1   First version: training, steps, row, divergence, epoch, timing, checkpoint, planted, footer.

Rows, timings and epochs are written again as they grow: a later line with the same key replaces an earlier one. Steps are written in
blocks, each of which follows on the one before; one that does not is left out, with all that follow it. A training that is resumed takes
what lies behind its checkpoint out of the file.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from oracle.results.model import ComparisonData, Count, Environment, Footer, Margin, Name, Names, Planted, Record, Role, Status, Text, Whole

TRAINING_SCHEMA_VERSION = 1
LONGEST = 10_000_000
"""Steps of one training."""

Column = Annotated[tuple[float, ...], Field(max_length=LONGEST)]
Margins = Annotated[tuple[Margin | None, ...], Field(max_length=LONGEST)]
Positive = Annotated[int, Field(ge=1, lt=2**63)]
Share = Annotated[float, Field(ge=0, le=1)]


class TrainingSettings(Record):
    """What was asked for. data: what it is trained on, in words; epoch: steps of one; shadows: how many measure the growth."""

    dtypes: Names
    steps: Positive
    batch: Positive
    lr: float
    seed: Whole
    epoch: Positive
    shadows: Count
    data: Text
    n_train: Count
    n_test: Count


class NetInfo(Record):
    """The net that is trained. torch: the loss that its twin takes. parameters: their shapes, by name. source: digest of its code."""

    name: Name
    target: Text = ""
    torch: Text
    summary: Text = ""
    parameters: dict[Name, Annotated[tuple[Count, ...], Field(max_length=32)]]
    source: Text = ""


class TrainingHeader(Record):
    """First line. n_planted: broken nets that this training puts to the test, None where it does not."""

    kind: Literal["training"] = "training"
    schema_version: Whole
    run_id: Name
    started: Name
    command: Text
    environment: Environment
    settings: TrainingSettings
    net: NetInfo
    n_planted: Count | None = None
    label: Annotated[str, Field(max_length=200)] = ""


class Steps(Record):
    """Consecutive steps of one dtype, from number `first`; steps are counted from 1.

    actual, expected: the loss of the net and of its twin, each after its own update on the batch of the step. distance: the 2-norm of
    what lies between both sides' parameters, over that of the twin's; distances: the same for each parameter. allowed: how large the
    distance may be. shadow: that of the shadow which is furthest from the twin. injected: the sum of what all steps until then were
    pushed by, over the same norm.
    margins: by quantity, the worst of this step; None where it was not judged.
    """

    kind: Literal["steps"] = "steps"
    dtype: Name
    first: Positive
    actual: Column
    expected: Column
    distance: Column
    allowed: Column
    shadow: Column
    injected: Column
    distances: Annotated[dict[Name, Column], Field(max_length=1000)]
    margins: Annotated[dict[Name, Margins], Field(max_length=1000)]

    @model_validator(mode="after")
    def _of_one_length(self) -> Steps:
        n = len(self.actual)
        columns = [self.expected, self.distance, self.allowed, self.shadow, self.injected, *self.distances.values(), *self.margins.values()]
        if not all(len(column) == n for column in columns):
            raise ValueError(f"a block of {n} steps has columns of another length")
        return self


class TrainingRow(Record):
    """Tally of one quantity of the steps, of a contract, or of the trajectory, in one dtype; see `Result` for the counts.

    first_failed, worst: numbers of steps.
    """

    kind: Literal["row"] = "row"
    dtype: Name
    quantity: Name
    role: Role | Literal["trajectory"]
    status: Status
    n_judged: Count
    n_failed: Count = 0
    n_inconclusive: Count = 0
    n_elements: Count = 0
    n_undetermined: Count = 0
    margin: Margin | None = None
    worst: Count | None = None
    first_failed: Count | None = None
    message: Text = ""

    @model_validator(mode="after")
    def _adds_up(self) -> TrainingRow:
        if self.n_failed > self.n_judged:
            raise ValueError(f"{self.n_failed} of {self.n_judged} steps failed")
        if self.n_failed and self.status not in ("failed", "error"):
            raise ValueError(f"{self.n_failed} steps failed, yet the row is said to be {self.status}")
        return self


class TrainingDivergence(Record):
    """The first step at which a row fails. file: where its arrays are, beside the training file; empty where they were not kept."""

    kind: Literal["divergence"] = "divergence"
    dtype: Name
    quantity: Name
    step: Count
    comparison: ComparisonData
    diagnosis: Text = ""
    file: Annotated[str, Field(max_length=200)] = ""


class Epoch(Record):
    """Accuracies of both sides after `step` steps; epoch 0 is before the first one. None: a side that gives no scores, or no such data."""

    kind: Literal["epoch"] = "epoch"
    dtype: Name
    epoch: Count
    step: Count
    actual_train: Share | None = None
    actual_test: Share | None = None
    expected_train: Share | None = None
    expected_test: Share | None = None


class Timing(Record):
    """Seconds that both sides took for the same steps, gradient, update and loss; nothing of the judging is in them."""

    kind: Literal["timing"] = "timing"
    dtype: Name
    steps: Count
    actual_seconds: Annotated[float, Field(ge=0)]
    expected_seconds: Annotated[float, Field(ge=0)]


class Checkpoint(Record):
    """All that comes before this line is from the first `step` steps; the state after them is in `file`, with this SHA-256."""

    kind: Literal["checkpoint"] = "checkpoint"
    dtype: Name
    step: Count
    file: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w.-]+$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


TrainingLine = Annotated[
    TrainingHeader | Steps | TrainingRow | TrainingDivergence | Epoch | Timing | Checkpoint | Planted | Footer, Field(discriminator="kind")
]


class Training(Record):
    """A whole training file. steps: one for each dtype, its blocks joined. `footer` is None when it was cut off."""

    header: TrainingHeader
    steps: dict[str, Steps] = {}
    rows: tuple[TrainingRow, ...] = ()
    divergences: tuple[TrainingDivergence, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    timings: tuple[Timing, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    planted: tuple[Planted, ...] = ()
    footer: Footer | None = None
    n_damaged: Count = 0
