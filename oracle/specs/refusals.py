"""Bad input that several layers must refuse."""

from __future__ import annotations

import numpy as np

from oracle.core.case import Case
from oracle.core.draw import Draw
from oracle.core.spec import Refusal


def _cotangent_of_another_shape(case: Case, draw: Draw) -> Case:
    return case._replace(cotangents={name: a[..., None] for name, a in case.cotangents.items()})


COTANGENT_SHAPE = Refusal("cotangent-of-another-shape", _cotangent_of_another_shape)
"""dout has one axis more than the result; NumPy would broadcast it and answer with a gradient of the wrong shape."""


def _with_labels(case: Case, t: np.ndarray) -> Case:
    return case._replace(inputs={**case.inputs, "t": t})


def _one_label(value: int) -> object:
    def spoil(case: Case, draw: Draw) -> Case:
        classes = case.params["W2"].shape[-1] if "W2" in case.params else case.inputs["x"].shape[-1]
        t = case.inputs["t"].astype(np.int64)
        if t.size == 0:
            return _rows(case, draw)
        t.reshape(-1)[draw.integer(0, t.size - 1)] = value if value < 0 else classes + value
        return _with_labels(case, t)

    return spoil


def _rows(case: Case, draw: Draw) -> Case:
    """One label row more than there are score rows."""
    t = case.inputs["t"]
    return _with_labels(case, np.zeros((t.shape[0] + 1, *t.shape[1:]) if t.ndim else (case.inputs["x"].size + 1,), t.dtype))


LABELS = (
    Refusal("index-label-too-large", _one_label(0), ("index",)),  # type: ignore[arg-type]
    Refusal("index-label-negative", _one_label(-1), ("index",)),  # type: ignore[arg-type]
    Refusal("index-labels-of-float", lambda case, draw: _with_labels(case, case.inputs["t"].astype(np.float64)), ("index",)),
    Refusal("a-label-row-too-many", _rows),
)
"""Labels that F.cross_entropy refuses."""
