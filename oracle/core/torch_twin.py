"""A net of torch's that trains by itself: the twin of a net under judgement, and its shadows. One of the files that import torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from oracle.core.case import Array, Arrays
from oracle.core.torch_side import compiled


class Twin:
    """Parameters of torch's own, and the loss as a torch expression over x, t and their names.

    loss, scores: expressions that come from a spec or the user's own command line, never from a file; a function in place of `loss`
    runs as it is. scores: empty where only the loss is known. params: where the training starts; copied.
    """

    def __init__(self, loss: Any, scores: str, params: Mapping[str, Array]) -> None:
        names = ("x", "t", *params)
        self._loss = compiled(loss, names) if isinstance(loss, str) else loss
        self._scores = compiled(scores, names) if scores else None
        self._params = {name: torch.from_numpy(np.array(a, order="C")).requires_grad_() for name, a in params.items()}
        self._leaves = tuple(self._params.values())

    def update(self, x: Array, t: Array, lr: float) -> None:
        """One step down the gradient of the loss of this batch, as `torch.optim.SGD(lr)` takes it: p.add_(grad, alpha=-lr)."""
        grads = torch.autograd.grad(self._loss(torch.from_numpy(x), torch.from_numpy(t), *self._leaves), self._leaves)
        with torch.no_grad():
            for p, g in zip(self._leaves, grads, strict=True):
                p.add_(g, alpha=-lr)

    def loss(self, x: Array, t: Array) -> Array:
        """The loss of this batch, 0-d, in the dtype of the parameters."""
        with torch.no_grad():
            found: Array = self._loss(torch.from_numpy(x), torch.from_numpy(t), *self._leaves).numpy()
        return found

    def hits(self, x: Array, index: Array) -> int | None:
        """In how many rows of x the largest score is at `index`; None where there are no scores."""
        if self._scores is None:
            return None
        with torch.no_grad():
            best = self._scores(torch.from_numpy(x), None, *self._leaves).argmax(1)
        return int((best == torch.from_numpy(index)).sum())

    def push(self, by: Mapping[str, Array]) -> None:
        """Add `by` to the parameters."""
        with torch.no_grad():
            for name, p in self._params.items():
                p.add_(torch.from_numpy(by[name]))

    @property
    def params(self) -> Arrays:
        """The parameters, as views: they change with every update."""
        return {name: p.detach().numpy() for name, p in self._params.items()}
