"""Drawing cases. The same code draws from a NumPy generator (the fast sweep) and from Hypothesis (tests and shrinking).

A source decides structure (`integer`, and what is built on it); array values come from a NumPy generator either way. Which values:
see `profiles`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from oracle.core import profiles
from oracle.core.case import Array, Arrays, Case, Dims
from oracle.core.spec import LayerSpec

T = TypeVar("T")

EDGES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257)
"""Sizes at which blocked and vectorised code changes path."""
INDEX_DTYPES = ("int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64")
ONE_HOT_DTYPES = ("int64", "int32", "uint8", "bool", "float32", "float64")
STRATA = 12
"""Every STRATA-th case of a branch is handed over in the same way, so that also a short run sees every protocol."""
_PROTOCOL_OF_STRATUM = (
    "plain", "reused", "reshaped", "backward-first", "plain", "backward-twice",
    "other-form", "refused", "reshaped", "plain", "backward-twice", "reused",
)  # fmt: skip
_USUAL_ELEMENTS, _LARGE_ELEMENTS = 2**11, 2**16
_SPECIAL = 32
"""One array in so many has NaN or infinities sprinkled in."""


class Source(Protocol):
    """Where structure comes from: integers in a closed range; smaller is simpler. `rng` gives array values."""

    @property
    def rng(self) -> np.random.Generator: ...

    def integer(self, low: int, high: int) -> int: ...


class GeneratorSource:
    """Structure from a NumPy generator, drawn in blocks: a single draw costs a quarter of a microsecond."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._block: list[float] = []

    def integer(self, low: int, high: int) -> int:
        if not self._block:
            self._block = self.rng.random(256).tolist()
        return low + int(self._block.pop() * (high - low + 1))


def _sizes_by_share() -> tuple[int, ...]:
    """A thousand sizes, each as often as its share: 1 (15 %), small ones, sizes at which code paths change, large ones, 0 (2 %)."""

    def spread(sizes: Sequence[int], count: int) -> list[int]:
        return [sizes[i * len(sizes) // count] for i in range(count)]

    small, middle, large = range(2, 5), range(5, 17), range(17, 65)
    return tuple(
        spread([1], 150)
        + spread(small, 350)
        + spread(middle, 330)
        + spread(large, 30)
        + spread(EDGES, 100)
        + spread(range(65, 513), 20)
        + [0] * 20
    )


SIZES = _sizes_by_share()


class Draw:
    """Draws the parts of one case. A spec's `cases` asks for arrays by the names of their axes; sizes are drawn on first mention.

    One case in ten has all sizes equal, because a square hides a transposition nowhere else; one in fifty may be large.
    """

    def __init__(self, source: Source, dtype: str, branch: str = "", layer: str = "", sizes: Mapping[str, int] | None = None) -> None:
        self.source = source
        self.dtype = dtype
        self.branch = branch
        self.layer = layer
        self.sizes: dict[str, int] = dict(sizes or {})
        self.dims: dict[str, Dims] = {}
        self.profiles: list[str] = []
        self._taken = math.prod(size or 1 for size in self.sizes.values()) if sizes else 1
        kind = source.integer(0, 99)
        self._square = 88 <= kind < 98
        self._room = _LARGE_ELEMENTS if kind >= 98 else _USUAL_ELEMENTS

    def integer(self, low: int, high: int) -> int:
        return self.source.integer(low, high)

    def choice(self, options: Sequence[T]) -> T:
        return options[self.source.integer(0, len(options) - 1)]

    def chance(self, share: float) -> bool:
        """True in `share` of the draws; False is the simpler."""
        return self.source.integer(0, 999) >= 1000 * (1 - share)

    def size(self, name: str, least: int = 0, most: int = 512) -> int:
        """The size of an axis, drawn once per case; the sizes of all axes together multiply to a limited number of elements."""
        if name in self.sizes:
            return self.sizes[name]
        most = max(min(most, self._room // self._taken), 1)
        first = next(iter(self.sizes.values()), 0)
        size = first if self._square and first >= max(least, 1) else SIZES[self.source.integer(0, len(SIZES) - 1)]
        size = max(min(size, most), least)
        self.sizes[name] = size
        self._taken *= size or 1
        return size

    def shape(self, name: str, dims: Dims) -> tuple[int, ...]:
        """The shape of the array `name` with axes `dims`, remembered for cutting."""
        self.dims[name] = dims
        sizes = self.sizes
        return tuple([sizes[d] if d in sizes else self._axis(d) for d in dims])

    def _axis(self, dim: str | int) -> int:
        if isinstance(dim, int):
            return dim
        if "*" in dim:
            product = 1
            for part in dim.split("*"):
                product *= self.size(part)
            return product
        return self.size(dim)

    def values(self, name: str, *dims: str | int, limit: float | None = None) -> Array:
        """Numbers of the working dtype in one of the value profiles; magnitudes up to `limit` where one is given."""
        shape = self.shape(name, dims)
        return self._filled(shape, profiles.ARRAY, limit)

    def cotangent(self, output: str, *dims: str | int) -> Array:
        """The upstream gradient of `output`: normal half of the time, never all ones."""
        shape = self.shape(f"d{output}", dims)
        return self._filled(shape, profiles.COTANGENT, None)

    def _filled(self, shape: tuple[int, ...], table: Sequence[profiles.Profile], limit: float | None) -> Array:
        special, choice = divmod(self.source.integer(0, _SPECIAL * len(table) - 1), len(table))
        profile = table[choice]
        a = np.asarray(profile.fill(self.source.rng, shape, self.dtype))
        self.profiles.append(profile.name)
        if limit is not None:
            np.clip(a, -limit, limit, out=a)
        # infinities must also meet one another, so one array with them makes the next likely to have some
        if a.size and (special == _SPECIAL - 1 or ("special" in self.profiles and self.source.integer(0, 1))):
            self.profiles.append("special")
            return profiles.sprinkled(self.source.rng, a)
        return a

    def index_labels(self, name: str, *dims: str | int, classes: int) -> Array:
        """Index labels in [0, classes) of any integer dtype; now and then the ignored label -100."""
        shape = self.shape(name, dims)
        dtype = self.choice(INDEX_DTYPES)
        labels = self.source.rng.integers(0, min(max(classes, 1), np.iinfo(dtype).max), shape)
        if not dtype.startswith("u") and self.chance(0.12):
            everywhere = self.chance(0.2)
            labels = np.where(everywhere or self.source.rng.random(shape) < 0.4, -100, labels)
            self.profiles.append("ignore-index")
        return np.asarray(labels).astype(dtype)

    def one_hot(self, name: str, *dims: str | int, classes: int) -> Array:
        """One-hot labels of int, bool or float dtype: the last axis has one 1."""
        shape = self.shape(name, dims)
        labels = self.source.rng.integers(0, max(classes, 1), shape[:-1])
        dtype = self.choice((*ONE_HOT_DTYPES, self.dtype))
        return np.asarray(labels[..., None] == np.arange(classes)).astype(dtype)

    def probabilities(self, name: str, *dims: str | int) -> Array:
        """Class probabilities of the working dtype: mostly summing to 1, some rows with exact zeros, some sums that are not 1."""
        shape = self.shape(name, dims)
        rng = self.source.rng
        a = rng.standard_exponential(shape)
        kind = self.integer(0, 3)
        if kind == 1:
            a *= rng.random(shape) < 0.5
        if kind != 3:
            total = a.sum(axis=-1, keepdims=True)
            a /= np.where(total > 0, total, 1)
        self.profiles.append(("dirichlet", "sparse", "dirichlet", "unnormalised")[kind])
        return a.astype(self.dtype)

    def case(self, inputs: Arrays, params: Arrays | None = None, cotangents: Arrays | None = None, **config: Any) -> Case:
        """The arrays as a Case; how it is handed over is filled in by `draw_case`."""
        return Case(
            self.layer, self.branch, self.dtype, inputs, params or {}, cotangents or {}, config, self.dims, profiles=tuple(self.profiles)
        )


def draw_case(spec: LayerSpec, source: Source, branch: str, dtype: str, stratum: int) -> Case:
    """One case of `branch`: arrays by the spec, handed over in the way of `stratum` (0 .. STRATA - 1)."""
    draw = Draw(source, dtype, branch, spec.name)
    case = spec.cases(draw, branch)
    protocol = _PROTOCOL_OF_STRATUM[stratum]
    if protocol == "refused":
        refusals = [r for r in spec.refusals if not r.branches or branch in r.branches]
        if refusals:
            refusal = draw.choice(refusals)
            return refusal.spoil(case, draw)._replace(refusal=refusal.id)
        protocol = "plain"
    if protocol not in spec.protocols_of(branch):
        protocol = "plain"
    prior = None
    if protocol in ("reused", "reshaped"):
        prior = _prior(spec, source, draw, case, reshaped=protocol == "reshaped")
    layout = "C"
    if stratum % 3 == 1:
        layout = draw.choice(spec.layouts)
        if layout == "stride-0":
            case = _with_equal_rows(case)
    return case if protocol == "plain" and layout == "C" else case._replace(protocol=protocol, layout=layout, prior=prior)


def _prior(spec: LayerSpec, source: Source, draw: Draw, case: Case, reshaped: bool) -> Case:
    """What the object is used on before: the same sizes, or new ones for every axis that no parameter has."""
    held = draw.sizes
    if reshaped:
        fixed = {part for name in case.params for dim in draw.dims[name] for part in str(dim).split("*")}
        held = {name: size for name, size in draw.sizes.items() if name in fixed}
    return spec.cases(Draw(source, case.dtype, case.branch, case.layer, held), case.branch)


def _with_equal_rows(case: Case) -> Case:
    """The case with every floating input and cotangent repeating its first row, so that it can be handed over with stride 0."""

    def repeated(a: Array) -> Array:
        return np.broadcast_to(a[:1], a.shape).copy() if a.ndim and len(a) and a.dtype.kind == "f" else a

    return case._replace(
        inputs={n: repeated(a) for n, a in case.inputs.items()}, cotangents={n: repeated(a) for n, a in case.cotangents.items()}
    )


class CalmDraw(Draw):
    """Normal numbers only, sizes that are small and all different: nothing nasty, so that what goes wrong does so by itself."""

    def __init__(self, source: Source, dtype: str, branch: str, layer: str, sizes: Mapping[str, int] | None = None) -> None:
        super().__init__(source, dtype, branch, layer, sizes)
        self._left = [2, 3, 4, 5, 6, 7, 8]

    def size(self, name: str, least: int = 0, most: int = 512) -> int:
        if name not in self.sizes:
            fitting = [n for n in self._left if max(least, 1) <= n <= most and n not in self.sizes.values()] or [max(least, 1)]
            self.sizes[name] = self.choice(fitting)
        return self.sizes[name]

    def chance(self, share: float) -> bool:
        return share > 0.5

    def index_labels(self, name: str, *dims: str | int, classes: int) -> Array:
        return np.asarray(self.source.rng.integers(0, max(classes, 1), self.shape(name, dims)))

    def _filled(self, shape: tuple[int, ...], table: Sequence[profiles.Profile], limit: float | None) -> Array:
        self.profiles.append("normal")
        return np.asarray(self.source.rng.standard_normal(shape)).astype(self.dtype)


def calm_case(
    spec: LayerSpec, rng: np.random.Generator, branch: str, dtype: str = "float64", sizes: Mapping[str, int] | None = None
) -> Case:
    """A case of normal numbers in C order and the plain protocol, its sizes from 2 to 8 and all different where `sizes` does not say."""
    return spec.cases(CalmDraw(GeneratorSource(rng), dtype, branch, spec.name, sizes), branch)
