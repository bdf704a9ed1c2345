"""Cases as they are stored, and back: every bit of every array survives."""

from __future__ import annotations

import base64

import numpy as np

from oracle.core.case import LAYOUTS, Array, Arrays, Case
from oracle.results.model import ArrayData, CaseData


def stored_array(a: Array) -> ArrayData:
    """`a` as dtype, shape and little-endian bytes."""
    return ArrayData(
        dtype=a.dtype.name, shape=a.shape, data=base64.b64encode(np.asarray(a, a.dtype.newbyteorder("<")).tobytes()).decode("ascii")
    )


def restored_array(data: ArrayData) -> Array:
    """The array that was stored; a writable copy in native byte order."""
    return np.frombuffer(data.raw(), np.dtype(data.dtype).newbyteorder("<")).reshape(data.shape).astype(data.dtype)


def stored_case(case: Case) -> CaseData:
    """The whole case, with what it was used on before."""

    def stored(arrays: Arrays) -> dict[str, ArrayData]:
        return {name: stored_array(a) for name, a in arrays.items()}

    return CaseData(
        layer=case.layer or "-",
        branch=case.branch or "-",
        dtype=case.dtype,
        protocol=case.protocol,
        layout=case.layout,
        inputs=stored(case.inputs),
        params=stored(case.params),
        cotangents=stored(case.cotangents),
        config=dict(case.config),
        dims=dict(case.dims),
        refusal=case.refusal,
        prior=None if case.prior is None else stored_case(case.prior),
    )


def restored_case(data: CaseData) -> Case:
    """The case that was stored. Raises ValueError for a memory layout that there is none of."""
    if data.layout not in LAYOUTS:
        raise ValueError(f"memory layout {data.layout!r} is not one of {', '.join(LAYOUTS)}")

    def restored(arrays: dict[str, ArrayData]) -> Arrays:
        return {name: restored_array(a) for name, a in arrays.items()}

    return Case(
        layer=data.layer,
        branch=data.branch,
        dtype=data.dtype,
        inputs=restored(data.inputs),
        params=restored(data.params),
        cotangents=restored(data.cotangents),
        config=data.config,
        dims=data.dims,
        protocol=data.protocol,
        layout=data.layout,
        prior=None if data.prior is None else restored_case(data.prior),
        refusal=data.refusal,
    )
