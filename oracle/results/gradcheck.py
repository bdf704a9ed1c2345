"""The record of a gradient check: three answers to one question for every parameter of a net, and who stands alone.

backprop: what the net's own `gradient` returns. autograd: torch's gradient of the net's twin. numerical: differences of the loss that the
net itself gives, for some elements or for all.

Schema history
--------------
1   First version.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from oracle.results.model import Count, Environment, Margin, Name, Names, Record, Text, Whole
from oracle.results.verdict import counted, some_of

GRADCHECK_SCHEMA_VERSION = 1

Alone = Literal["nobody", "backprop", "autograd", "numerical", "all"]
"""Whose answer is not that of the other two; "all" where no two agree."""
State = Literal["passed", "open", "failed", "inconclusive"]
"""What became of a parameter. open: backprop is torch's, and differences could tell nothing. inconclusive: torch is off its own bound."""
Size = Annotated[float, Field(ge=0)]
Index = Annotated[tuple[Count, ...], Field(max_length=64)]


class GradSettings(Record):
    """What was asked for. samples: elements tried of each parameter, None where it is all. data: what the batch is, in words."""

    dtypes: Names
    samples: Count | None
    seed: Whole
    batch: Count
    data: Text


class Step(Record):
    """How the differences of one dtype were taken.

    of: the dtype that the loss was computed in. step: h for elements up to 1. rounding: how far the loss may be off by rounding.
    resolved: differences that are known to less than this share of the gradient's scale can tell.
    """

    dtype: Name
    of: Name
    step: Size
    rounding: Size
    resolved: Size


class Element(Record):
    """One element: the three answers, how far two of them may be apart, and the difference's own error.

    numerical and error are None where the element was not tried. state: whether the difference could tell.
    """

    index: Index
    backprop: float
    autograd: float
    numerical: float | None = None
    allowed: Size
    error: Size | None = None
    state: Literal["resolved", "kink", "unresolved", "not tried"]


class GradRow(Record):
    """One parameter in one dtype.

    apart_*: mean absolute differences, those with numerical over the n_tried elements, as the notebook prints them. margin_*: the worst
    difference over its allowed error; None where nothing was compared. n_over: elements in which backprop is not autograd's within it.
    sees: the least error that differences would have seen, as a share of the gradient's scale. message: who stands alone, and how.
    """

    parameter: Name
    dtype: Name
    shape: Index
    n_elements: Count
    n_over: Count = 0
    n_undetermined: Count = 0
    n_tried: Count = 0
    n_resolved: Count = 0
    n_kinks: Count = 0
    n_unresolved: Count = 0
    apart_backprop_autograd: float | None = None
    apart_backprop_numerical: float | None = None
    apart_autograd_numerical: float | None = None
    margin_backprop_autograd: Margin | None = None
    margin_backprop_numerical: Margin | None = None
    margin_autograd_numerical: Margin | None = None
    sees: Size | None = None
    scale: Size | None = None
    worst: Element | None = None
    alone: Alone = "nobody"
    status: State
    message: Text = ""
    diagnosis: Text = ""

    @model_validator(mode="after")
    def _adds_up(self) -> GradRow:
        if self.n_tried != self.n_resolved + self.n_kinks + self.n_unresolved or self.n_tried > self.n_elements:
            raise ValueError(f"{self.n_tried} of {self.n_elements} elements tried do not add up")
        if (self.alone == "nobody") == (self.status == "failed"):
            raise ValueError(f"{self.alone} stands alone, yet the row is said to be {self.status}")
        return self


class LossRow(Record):
    """The loss of the net against torch's, in one dtype."""

    dtype: Name
    actual: float
    expected: float
    allowed: Size
    margin: Margin | None
    status: Literal["passed", "failed", "inconclusive"]
    diagnosis: Text = ""


class Broken(Record):
    """A contract that a call of the net broke."""

    dtype: Name
    contract: Name
    message: Text


class GradCheck(Record):
    """A whole gradient check. estimated: the torch operation for which there is no ball rule, so that allowed errors are estimates."""

    kind: Literal["gradcheck"] = "gradcheck"
    schema_version: Whole = GRADCHECK_SCHEMA_VERSION
    started: Name
    command: Text = ""
    environment: Environment
    settings: GradSettings
    net: Name
    target: Text = ""
    torch: Text
    estimated: Text = ""
    notes: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    steps: Annotated[tuple[Step, ...], Field(max_length=10)] = ()
    losses: Annotated[tuple[LossRow, ...], Field(max_length=10)] = ()
    rows: Annotated[tuple[GradRow, ...], Field(max_length=10_000)] = ()
    broken: Annotated[tuple[Broken, ...], Field(max_length=1000)] = ()
    seconds: Size = 0.0
    interrupted: bool = False


class GradVerdict(NamedTuple):
    """What a gradient check says. `exit_code`: 0 conforms, 1 diverges, 3 incomplete. gaps: why there is less than was asked for."""

    outcome: Literal["conforms", "diverges", "incomplete"]
    exit_code: int
    sentence: str
    gaps: tuple[str, ...]


def grad_verdict(check: GradCheck) -> GradVerdict:
    """Decide what `check` says: it diverges where any row, loss or contract failed; whatever is missing keeps it from conforming."""
    gaps = tuple(_gaps(check))
    failing = [f"{row.parameter} {row.dtype}: {_who(row.alone)}" for row in check.rows if row.status == "failed"]
    failing += [f"loss {loss.dtype}: not torch's" for loss in check.losses if loss.status == "failed"]
    failing += [f"{b.contract} {b.dtype}: broken" for b in check.broken]
    if failing:
        told = f"{check.net} diverges in {counted(len(failing), 'row')}: {some_of(failing)}."
        return GradVerdict("diverges", 1, " ".join([told, *gaps]), gaps)
    if gaps:
        return GradVerdict("incomplete", 3, " ".join(["No verdict.", *gaps]), gaps)
    return GradVerdict("conforms", 0, _right(check), gaps)


def _who(alone: Alone) -> str:
    return "all three differ" if alone == "all" else f"{alone} stands alone"


def _right(check: GradCheck) -> str:
    elements = sum(row.n_elements for row in check.rows)
    dtypes = ", ".join(dict.fromkeys(row.dtype for row in check.rows))
    told = (
        f"The gradients of {check.net} are right: backprop is torch.autograd's within the allowed error in all of "
        f"{counted(elements, 'element')} ({dtypes})"
    )
    silent = [f"{row.parameter} {row.dtype}" for row in check.rows if row.status == "open"]
    if len(silent) == len(check.rows):
        return f"{told}. Differences of its own loss could tell nothing."
    tried = sum(row.n_resolved for row in check.rows)
    told += f", and differences of its own loss agree with both in all of {tried:,} that they could tell"
    return f"{told}. They could tell nothing of {some_of(silent)}." if silent else f"{told}."


def _gaps(check: GradCheck) -> list[str]:
    gaps = ["It was interrupted: what was done until then is here."] if check.interrupted else []
    missing = [dtype for dtype in check.settings.dtypes if not any(row.dtype == dtype for row in check.rows)]
    if missing:
        gaps.append(f"Nothing was checked in {' and '.join(missing)}.")
    unsure = [f"{row.parameter} {row.dtype}" for row in check.rows if row.status == "inconclusive"]
    unsure += [f"loss {loss.dtype}" for loss in check.losses if loss.status == "inconclusive"]
    if unsure:
        gaps.append(f"Torch is outside its own bound in {some_of(unsure)}, so nothing was judged there.")
    unbounded = [f"{row.parameter} {row.dtype}" for row in check.rows if row.n_undetermined and row.n_undetermined == row.n_elements]
    if unbounded:
        gaps.append(f"Nothing is determined of {some_of(unbounded)}: with these numbers the results may overflow.")
    return gaps
