"""The records of a results file. Each is one JSON line, told apart by `kind`.

Schema history
--------------
1   First version: header, result, depth, counterexample, footer.
2   Subjects: a layer may come from a target of the user's (LayerInfo.spec, target, convention, search_path, not_claimed), status
    not-claimed, notes.
3   Reports: histograms of margins and ULP distances, extents of the shapes tried, worst cases, samples, planted faults, oracle health,
    whole arrays of a counterexample, digests, known divergences and the floor of a gate, lanes, shards.

Numbers survive JSON: infinities and NaN are written as the strings "Infinity", "-Infinity" and "NaN". Arrays are written as
dtype, shape and the base64 of their little-endian C-order bytes, so every bit of them comes back.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import struct
from collections import Counter
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 3

Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=20_000)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Whole = Annotated[int, Field(ge=-(2**63), lt=2**64)]
Scalar = bool | Whole | float | Text | None
Table = Annotated[dict[Annotated[str, Field(max_length=1000)], Count], Field(max_length=10_000)]
"""Counts by name."""
Names = Annotated[tuple[Name, ...], Field(max_length=1000)]
Status = Literal["passed", "failed", "known", "stale", "error", "skipped", "not-run", "not-claimed"]
Role = Literal["quantity", "contract"]

# dtype name -> (struct code, bytes per element); "?" reads bools
_FORMATS = {
    "bool": ("?", 1),
    "int8": ("b", 1),
    "uint8": ("B", 1),
    "int16": ("h", 2),
    "uint16": ("H", 2),
    "int32": ("i", 4),
    "uint32": ("I", 4),
    "int64": ("q", 8),
    "uint64": ("Q", 8),
    "float16": ("e", 2),
    "float32": ("f", 4),
    "float64": ("d", 8),
}


def _no_less_than_nothing(value: float) -> float:
    if value < 0:
        raise ValueError(f"a distance cannot be {value}")
    return value


Margin = Annotated[float, AfterValidator(_no_less_than_nothing)]
"""A distance, or a ratio of two; it may be infinite or NaN."""


class Record(BaseModel):
    """Base of every record: immutable, strict about unknown fields, and able to write infinities and NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class ArrayData(Record):
    """One array, losslessly: `data` is the base64 of its little-endian bytes in C order."""

    dtype: Name
    shape: Annotated[tuple[Count, ...], Field(max_length=32)]
    data: str

    @model_validator(mode="after")
    def _agrees(self) -> ArrayData:
        if self.dtype not in _FORMATS:
            raise ValueError(f"array dtype {self.dtype!r} is not one of {', '.join(_FORMATS)}")
        try:
            size = len(base64.b64decode(self.data, validate=True))
        except binascii.Error as error:
            raise ValueError(f"array data is not base64: {error}") from None
        wanted = math.prod(self.shape) * _FORMATS[self.dtype][1]
        if size != wanted:
            raise ValueError(f"array of shape {self.shape} and dtype {self.dtype} needs {wanted} bytes, its data has {size}")
        return self

    def raw(self) -> bytes:
        """The little-endian C-order bytes."""
        return base64.b64decode(self.data)

    def values(self) -> list[bool | int | float]:
        """The elements in C order as Python numbers, read without NumPy."""
        return list(struct.unpack(f"<{math.prod(self.shape)}{_FORMATS[self.dtype][0]}", self.raw()))


class CaseData(Record):
    """One case as it was judged: everything needed to run it again."""

    layer: Name
    branch: Name
    dtype: Name
    protocol: Name
    layout: Name
    inputs: dict[Name, ArrayData]
    params: dict[Name, ArrayData]
    cotangents: dict[Name, ArrayData]
    config: dict[Name, Scalar] = {}
    dims: dict[Name, Annotated[tuple[Name | Count, ...], Field(max_length=32)]] = {}
    refusal: Name | None = None
    prior: CaseData | None = None

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that are the same for the same case, whatever Python, NumPy or machine drew it."""
        told = self.model_dump(exclude={"layer"}, mode="json")
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


class ComparisonData(Record):
    """How far `actual` is from `expected` for one quantity of one case, or how a contract was broken.

    actual, expected, allowed: at the worst element. all_actual, all_expected, all_allowed: the whole arrays, where they are small.
    """

    reason: Name
    message: Text
    margin: Margin | None = None
    max_abs: Margin | None = None
    max_ulp: Margin | None = None
    worst_index: Annotated[tuple[Count, ...], Field(max_length=32)] | None = None
    actual: ArrayData | None = None
    expected: ArrayData | None = None
    allowed: ArrayData | None = None
    all_actual: ArrayData | None = None
    all_expected: ArrayData | None = None
    all_allowed: ArrayData | None = None
    n_mismatched: Count = 0
    n_elements: Count = 0

    @model_validator(mode="after")
    def _agrees(self) -> ComparisonData:
        if self.worst_index is None or self.all_actual is None or self.all_expected is None:
            return self
        shape = self.all_expected.shape
        inside = len(self.worst_index) == len(shape) and all(at < n for at, n in zip(self.worst_index, shape, strict=True))
        if self.all_actual.shape == shape and not inside:
            raise ValueError(f"worst_index {self.worst_index} lies outside of arrays of shape {shape}")
        return self


class Environment(Record):
    """Where a run took place."""

    gradconform: Text
    python: Text
    numpy: Text
    torch: Text | None
    hypothesis: Text | None
    platform: Text
    machine: Text
    blas: Text
    commit: Text | None = None
    dirty: bool | None = None


class Settings(Record):
    """What was asked for. shard: (k, n) where this run judges the k-th of n shares of the cases, from 1; None for all of them."""

    layers: tuple[Name, ...]
    examples: Count
    seed: Whole
    dtypes: tuple[Name, ...]
    workers: Count
    shard: tuple[Count, Count] | None = None


class ContractInfo(Record):
    """A contract's stable id, the version of its check, and one line of explanation."""

    id: Name
    version: Count
    explanation: Text


class LayerInfo(Record):
    """What a layer is judged against, and where it is.

    name: unique in the run. spec: the name of its spec, empty where no spec was found. target: the file, notebook or module of the
    user's that it comes from, empty for our own; convention: how it is called, in words. not_claimed: what it does not promise.
    source: digest of the code that was judged, empty where it is not known.
    """

    name: Name
    subject: Text
    torch: Text
    summary: Text
    check_version: Count
    branches: Names
    quantities: Names
    contracts: Names
    spec: Text = ""
    target: Text = ""
    convention: Text = ""
    search_path: tuple[Text, ...] = ()
    not_claimed: tuple[Text, ...] = ()
    source: Text = ""


class Expected(Record):
    """One row that the run has declared it will judge."""

    layer: Name
    branch: Name
    dtype: Name
    quantity: Name


class Known(Record):
    """A divergence that is known: a row that may fail, why, where that is discussed, and until when ("2027-01-31") it is accepted.

    dtype: empty for every dtype.
    """

    layer: Name
    branch: Name
    quantity: Name
    dtype: Annotated[str, Field(max_length=200)] = ""
    reason: Annotated[str, Field(min_length=1, max_length=20_000)]
    link: Text = ""
    expires: Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""


class Gate(Record):
    """What a run is held to. floor: cases that every layer, branch and dtype needs. source: the file that says so."""

    known: tuple[Known, ...] = ()
    floor: Count = 0
    source: Text = ""


class Header(Record):
    """First line: what will be judged, and where.

    boundaries: those that are looked for. n_planted: planted faults that the run puts to the test, None where it does not.
    corpus: digests of the stored cases that are replayed. label: what the run is called among others, such as "py311".
    """

    kind: Literal["header"] = "header"
    schema_version: Whole
    run_id: Name
    started: Name
    command: Text
    environment: Environment
    settings: Settings
    layers: tuple[LayerInfo, ...]
    contracts: tuple[ContractInfo, ...]
    expected: tuple[Expected, ...]
    boundaries: tuple[Name, ...] = ()
    n_planted: Count | None = None
    gate: Gate | None = None
    corpus: tuple[Name, ...] = ()
    label: Annotated[str, Field(max_length=200)] = ""

    @model_validator(mode="after")
    def _told_apart(self) -> Header:
        twice = [name for name, n in Counter(info.name for info in self.layers).items() if n > 1]
        if twice:
            raise ValueError(f"there are two layers with the name {twice[0]!r}")
        return self


class Result(Record):
    """Tally of one quantity or contract of one layer, branch and dtype.

    A file may hold several lines for the same row: they are parts, and `Run.results` holds their sum.
    `n_judged` cases were decided, `n_failed` of them against the layer; `n_inconclusive` more could not be decided because torch
    left its own bound. Of the `n_elements` elements of the cases that were measured, `n_undetermined` had no finite bound.

    margins: of the measured cases how many had which margin. ulps: of their elements how many were which ULP distance from torch's.
    Both by bucket; see `oracle.results.buckets`. n_replayed: how many of `n_judged` came from a corpus, n_replay_failed: of `n_failed`.
    first_failed: the number of the search's first failing case, whose message this is.
    """

    kind: Literal["result"] = "result"
    layer: Name
    branch: Name
    dtype: Name
    quantity: Name
    role: Role
    status: Status
    check_version: Count
    n_judged: Count
    n_failed: Count
    n_inconclusive: Count = 0
    n_elements: Count = 0
    n_undetermined: Count = 0
    margin: Margin | None = None
    worst_case: Count | None = None
    worst_outcome: Literal["imprecise", "differs"] | None = None
    message: Text = ""
    margins: Table = {}
    ulps: Table = {}
    n_replayed: Count = 0
    n_replay_failed: Count = 0
    first_failed: Count | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Result:
        if not self.n_replay_failed <= self.n_failed <= self.n_judged:
            raise ValueError(f"{self.n_failed} of {self.n_judged} cases failed, {self.n_replay_failed} of them replayed")
        if self.n_failed and self.status not in ("failed", "error", "known"):
            raise ValueError(f"{self.n_failed} cases failed, yet the row is said to be {self.status}")
        return self

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Identity of the row: layer, branch, dtype, quantity."""
        return (self.layer, self.branch, self.dtype, self.quantity)


class Depth(Record):
    """What stands behind the verdict of one layer, branch and dtype: how much was tried, and what it touched.

    `boundaries` counts cases among the `n_examined` that were looked through for them. `extents` counts them by the shape of their
    first input, "rows,columns": the product of all axes but the last, and the last; rounded, see `oracle.results.buckets`.
    """

    kind: Literal["depth"] = "depth"
    layer: Name
    branch: Name
    dtype: Name
    n_cases: Count
    n_distinct: Count
    n_discarded: Count = 0
    n_examined: Count = 0
    boundaries: Table = {}
    protocols: Table = {}
    layouts: Table = {}
    profiles: Table = {}
    shapes: Table = {}
    n_shapes: Count = 0
    extents: Table = {}


class Seen(Record):
    """What one shard of a run has seen, so that merged shards can tell how much of it is distinct.

    cases: base64 of the 64-bit digests, little-endian. shapes: as written in `Tally`.
    """

    kind: Literal["seen"] = "seen"
    layer: Name
    branch: Name
    dtype: Name
    cases: str
    shapes: tuple[str, ...]

    @model_validator(mode="after")
    def _decodes(self) -> Seen:
        try:
            base64.b64decode(self.cases, validate=True)
        except ValueError as error:
            raise ValueError(f"cases are not base64: {error}") from None
        return self

    def digests(self) -> set[int]:
        """The digests of the cases."""
        raw = base64.b64decode(self.cases, validate=True)
        return set(struct.unpack(f"<{len(raw) // 8}Q", raw[: len(raw) // 8 * 8]))


class Worst(Record):
    """The case with the largest margin of one quantity of a layer, over all branches and dtypes. case: None where it is large."""

    kind: Literal["worst"] = "worst"
    layer: Name
    branch: Name
    dtype: Name
    quantity: Name
    seed: Whole
    index: Count
    comparison: ComparisonData
    shapes: dict[Name, tuple[Count, ...]]
    protocol: Name
    layout: Name
    profiles: tuple[Name, ...] = ()
    case: CaseData | None = None


class Sample(Record):
    """One small case with both sides' answers by quantity, so that two runs can be compared on the same input."""

    kind: Literal["sample"] = "sample"
    layer: Name
    branch: Name
    dtype: Name
    index: Count
    digest: Name
    case: CaseData
    actual: dict[Name, ArrayData]
    expected: dict[Name, ArrayData]


class Planted(Record):
    """A deliberately broken layer that this run had to convict. n_cases: how many cases that took, or how many did not do it.

    rows: the rows on which it was convicted, "branch dtype quantity"; none where it survived.
    """

    kind: Literal["planted"] = "planted"
    layer: Name
    family: Name
    name: Name
    fault: Text
    n_cases: Count
    rows: tuple[Name, ...] = ()

    @property
    def convicted(self) -> bool:
        """Whether the judge has noticed it."""
        return bool(self.rows)


class Health(Record):
    """The oracle itself: torch.autograd against central differences of torch's own forward, on float64 cases of this run.

    Of the `n_elements` elements of the gradient, `n_kinks` lay at a kink and `n_unresolved` were too badly conditioned to be told by
    differences; `n_wrong` of the others were further off than truncation and rounding explain. worst: the largest ratio of the two.
    """

    kind: Literal["health"] = "health"
    layer: Name
    branch: Name
    quantity: Name
    n_cases: Count
    n_elements: Count
    n_kinks: Count = 0
    n_unresolved: Count = 0
    n_wrong: Count = 0
    worst: Margin | None = None
    message: Text = ""


class Counterexample(Record):
    """A failing case, kept whole, with its minimised form and the way to see it again.

    `id` is stable for (seed, layer, branch, dtype, quantity). A later line with the same id replaces an earlier one: the case as it
    was found is written at once, its minimised form when it is known. lane: found by searching, or by replaying a stored corpus, where
    `index` is the place in it.
    """

    kind: Literal["counterexample"] = "counterexample"
    id: Name
    layer: Name
    branch: Name
    dtype: Name
    quantity: Name
    role: Role
    seed: Whole
    index: Count
    case: CaseData
    comparison: ComparisonData
    minimised: CaseData | None = None
    minimised_comparison: ComparisonData | None = None
    snippet: Text = ""
    replay: Text = ""
    diagnosis: Text | None = None
    lane: Literal["search", "corpus"] = "search"


class Note(Record):
    """Something worth telling of a layer that is no row: what was not loaded, what it printed, why it was given up."""

    kind: Literal["note"] = "note"
    layer: Name
    title: Name
    text: Text


class Footer(Record):
    """Last line. A file without it is an interrupted run."""

    kind: Literal["footer"] = "footer"
    finished: Name
    seconds: Annotated[float, Field(ge=0)]
    outcome: Literal["complete", "interrupted", "failed"]
    message: Text = ""


Line = Annotated[
    Header | Result | Depth | Seen | Worst | Sample | Planted | Health | Counterexample | Note | Footer, Field(discriminator="kind")
]


class Run(Record):
    """A whole results file, its parts summed. `footer` is None when the run was cut off."""

    header: Header
    results: tuple[Result, ...] = ()
    depths: tuple[Depth, ...] = ()
    counterexamples: tuple[Counterexample, ...] = ()
    notes: tuple[Note, ...] = ()
    worsts: tuple[Worst, ...] = ()
    samples: tuple[Sample, ...] = ()
    planted: tuple[Planted, ...] = ()
    health: tuple[Health, ...] = ()
    seen: tuple[Seen, ...] = ()
    footer: Footer | None = None
    n_damaged: Count = 0
