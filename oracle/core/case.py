"""One concrete set of inputs, and the ways it can be handed to a layer."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
Dims = tuple[str | int, ...]

PROTOCOLS = ("plain", "reused", "reshaped", "backward-twice", "backward-first")
"""How the layer object is used: fresh; used before with other data; used before with another shape; backward called twice; backward
tried before forward. A spec may add "other-form": the same question put in another form must have the same answer."""


class Case(NamedTuple):
    """Inputs, parameters, configuration, branch and cotangents, and how they are handed over.

    `dims` names the axes of every array, so that all of them can be cut together when a failing case is made smaller; "P*Q" names an
    axis that is a product, a number an axis of that fixed size. `prior` is the case that the object is used on before this one.
    `refusal` names the bad input that this case carries: both sides must raise.
    """

    layer: str
    branch: str
    dtype: str
    inputs: Arrays
    params: Arrays
    cotangents: Arrays
    config: Mapping[str, Any]
    dims: Mapping[str, Dims]
    protocol: str = "plain"
    layout: str = "C"
    prior: Case | None = None
    refusal: str | None = None
    profiles: tuple[str, ...] = ()

    @property
    def arrays(self) -> Arrays:
        """Every array by name; cotangents under `d` + the output's name."""
        return {**self.inputs, **self.params, **{f"d{name}": a for name, a in self.cotangents.items()}}

    def digest(self) -> int:
        """64 bits that tell this case from another one of its branch and dtype."""
        crc = zlib.crc32(f"{self.protocol}{self.layout}{self.refusal}".encode())
        shapes = 0
        for group in (self.inputs, self.params, self.cotangents):
            for a in group.values():
                crc = zlib.crc32(a.tobytes(), crc)
                shapes = hash((shapes, a.shape))
        return crc << 32 | shapes & 0xFFFFFFFF

    @property
    def sizes(self) -> dict[str, int]:
        """The size of every named axis that stands alone somewhere."""
        arrays = self.arrays
        return {
            dim: arrays[name].shape[axis]
            for name, dims in self.dims.items()
            for axis, dim in enumerate(dims)
            if isinstance(dim, str) and "*" not in dim and name in arrays and arrays[name].ndim == len(dims)
        }

    def cut(self, axis: str, keep: list[int]) -> Case:
        """The case with only the positions `keep` of the axis named `axis`, in every array that has it."""
        sizes = self.sizes

        def shorter(name: str, a: Array) -> Array:
            for i, dim in enumerate(self.dims.get(name, ())):
                parts = str(dim).split("*")
                if axis in parts and i < a.ndim:
                    split = [sizes[part] for part in parts]
                    taken = np.take(a.reshape(*a.shape[:i], *split, *a.shape[i + 1 :]), keep, axis=i + parts.index(axis))
                    a = taken.reshape(*a.shape[:i], a.shape[i] // max(sizes[axis], 1) * len(keep), *a.shape[i + 1 :])
            return a

        return self._replace(
            inputs={n: shorter(n, a) for n, a in self.inputs.items()},
            params={n: shorter(n, a) for n, a in self.params.items()},
            cotangents={n: shorter(f"d{n}", a) for n, a in self.cotangents.items()},
            prior=None if self.prior is None else self.prior.cut(axis, keep) if self._shares(axis) else self.prior,
        )

    def _shares(self, axis: str) -> bool:
        """Whether the prior case has parameters with this axis, so that both must be cut alike."""
        return any(axis in str(dim).split("*") for name in self.params for dim in self.dims.get(name, ()))


def _fortran(a: Array) -> Array:
    return np.array(a, order="F")


def _strided(a: Array) -> Array:
    if a.ndim == 0:
        return a.copy()
    wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
    wide[..., ::2] = a
    return wide[..., ::2]


def _reversed(a: Array) -> Array:
    return a[..., ::-1].copy()[..., ::-1] if a.ndim else a.copy()


def _read_only(a: Array) -> Array:
    copy = a.copy()
    copy.flags.writeable = False
    return copy


def _stride_0(a: Array) -> Array:
    # only a case whose rows are all equal can be handed over like this; the draw sees to it
    if a.ndim and len(a):
        rows = np.broadcast_to(a[:1].copy(), a.shape)
        if rows.tobytes() == a.tobytes():
            return rows
    return a.copy()


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "C": np.ndarray.copy,
    "fortran": _fortran,
    "strided": _strided,
    "negative-stride": _reversed,
    "stride-0": _stride_0,
    "read-only": _read_only,
}
"""Memory layouts: each gives a private array of equal values."""
