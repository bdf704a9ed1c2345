"""What can be drawn for a spec at all, so that no fault is planted that could not show. Needs no torch.

It is found out without the drawing that the run itself uses: by cases full of boundaries. A sweep that no longer reaches a boundary
does not make the fault that waits for it go away; the fault survives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np

from oracle.core import profiles
from oracle.core.case import Array, Arrays, Case
from oracle.core.contracts import declared
from oracle.core.draw import CalmDraw, GeneratorSource
from oracle.core.spec import LayerSpec

PALETTE = np.array([np.nan, 0.0, 1.0, np.inf, -0.0, 1.0, 20.0, -np.inf, 2.0**-1040, -0.5])
SIZES = (0, 1, 3, 70)
DRAWS = 8
Condition = Callable[[Arrays], bool]


class _Probe(CalmDraw):
    """Arrays of `numbers` over and over, and one size for every axis where it is allowed."""

    def __init__(self, seed: int, spec: LayerSpec, branch: str, wanted: int, numbers: Array) -> None:
        super().__init__(GeneratorSource(np.random.default_rng(seed)), "float64", branch, spec.name)
        self._wanted, self._numbers = wanted, numbers

    def size(self, name: str, least: int = 0, most: int = 512) -> int:
        if name not in self.sizes:
            # one long axis is enough
            wanted = 2 if self.sizes and self._wanted > 3 else self._wanted
            self.sizes[name] = max(least, min(most, wanted))
        return self.sizes[name]

    def index_labels(self, name: str, *dims: str | int, classes: int) -> Array:
        return np.resize(np.array([-100, 0]), self.shape(name, dims))

    def _filled(self, shape: tuple[int, ...], table: Sequence[profiles.Profile], limit: float | None) -> Array:
        some = np.roll(self._numbers, self.integer(0, len(self._numbers) - 1))
        return np.asarray(np.resize(some if limit is None else np.clip(some, -limit, limit), shape))


class Scope:
    """A spec with the dtypes of a run, and what its cases can hold."""

    def __init__(self, spec: LayerSpec, dtypes: Sequence[str]) -> None:
        self.spec = spec
        self.dtypes = tuple(dtypes)
        # a difference over the notebook's step of 1e-4 has no digits at all in float16: the bound of that row allows everything
        self.rough = spec.convention == "gradient"
        self.telling = tuple(d for d in self.dtypes if not (self.rough and d == "float16"))

    def rows(self, on: str) -> tuple[str, ...]:
        """The rows that `on` means, "forward", "backward", a quantity or a contract, and that are claimed; none where there are none."""
        spec = self.spec
        sides = {"forward": spec.forward_names, "backward": spec.backward_names}
        quantities = sides.get(on, (on,) if on in spec.quantities else ())
        contracts = {name for branch in spec.branches for name in declared(spec, branch)}
        rows = (on,) if on in contracts else quantities if self.telling else ()
        return tuple(name for name in rows if name not in spec.claims.rows)

    @cached_property
    def palette(self) -> Array:
        """The numbers of the boundaries that are claimed."""
        left_out = self.spec.claims.values
        kept = PALETTE[~np.isnan(PALETTE)] if "nan" in left_out else PALETTE
        return kept[~np.isinf(kept)] if "inf" in left_out else kept

    @cached_property
    def probes(self) -> list[Case]:
        """Cases full of boundaries, of every branch, as far as the claims go."""
        return list(self._probed(self.palette, range(DRAWS)))

    @property
    def single_probes(self) -> Iterator[Case]:
        """Cases of ordinary numbers with one kind of boundary among them each."""
        ordinary = np.array([0.7, -1.3, 1.0, 0.4, -0.6, 1.9])
        for i, value in enumerate(self.palette):
            numbers = np.where(ordinary == 1, value, ordinary)
            # subnormal numbers come together, or they vanish beside the others
            numbers = ordinary * value if 0 < abs(value) < np.finfo(np.float64).tiny else numbers
            yield from self._probed(numbers, (2 * i, 2 * i + 1))

    def _probed(self, numbers: Array, seeds: Sequence[int]) -> Iterator[Case]:
        for branch in self.spec.branches:
            for wanted in SIZES:
                for seed in seeds:
                    with np.errstate(all="ignore"):
                        case = self.spec.cases(_Probe(seed, self.spec, branch, wanted, numbers), branch)
                    if self.spec.claims.leave_out(case) is None:
                        yield case

    def reaches(self, condition: Condition) -> bool:
        """Whether some case can meet `condition`, which looks at its inputs and parameters."""
        return any(condition({**case.inputs, **case.params}) for case in self.probes)

    def any_case(self, holds: Callable[[Case], bool]) -> bool:
        """Whether `holds` is true of some case."""
        return any(holds(case) for case in self.probes)

    def has(self, protocol: str) -> bool:
        """Whether layers are used in this way."""
        return any(protocol in self.spec.protocols_of(branch) for branch in self.spec.branches)

    @cached_property
    def reshapes(self) -> bool:
        """Whether a layer with the same parameters can be used on inputs of another shape."""
        return "reshaped" in self.spec.protocols and self.any_case(_has_free_axis)


def _has_free_axis(case: Case) -> bool:
    fixed = {part for name in case.params for dim in case.dims.get(name, ()) for part in str(dim).split("*")}
    return any(isinstance(dim, str) and not fixed & set(dim.split("*")) for name in case.inputs for dim in case.dims.get(name, ()))
