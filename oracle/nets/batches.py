"""What a net is trained on: images and labels, and the batch of each step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oracle.core.case import Array


class Data(NamedTuple):
    """Inputs (N, D) and index labels (N,) to train on and to test on. text: what they are."""

    x_train: Array
    t_train: Array
    x_test: Array
    t_test: Array
    text: str


class Batch(NamedTuple):
    """Inputs (n, D) in the dtype of the net, and index labels (n,) as int64."""

    x: Array
    t: Array


def batch(data: Data, seed: int, number: int, size: int, dtype: str) -> Batch:
    """The batch of step `number`: `size` rows drawn with replacement, as the notebook draws them, a function of seed and number alone."""
    rows = np.random.default_rng((seed, number)).integers(0, len(data.x_train), size)
    return Batch(data.x_train[rows].astype(dtype, copy=False), data.t_train[rows].astype(np.int64, copy=False))
