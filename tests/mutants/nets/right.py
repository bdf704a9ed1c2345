"""Right nets in other styles: nothing of them may be convicted, whatever their rounding is like."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.mutants.nets.textbook import TwoLayerNet


class Plain:
    """No layers: everything in two methods, read from params at each call. Gradients are called dW1, db1 ..."""

    def __init__(self, n_in: int, n_hidden: int, n_out: int, dtype: Any = np.float64) -> None:
        self.params: dict[str, Any] = dict(TwoLayerNet(n_in, n_hidden, n_out, dtype).params)

    def hidden(self, x: Any) -> Any:
        return np.maximum(np.dot(x, self.params["W1"]) + self.params["b1"], 0)

    def predict(self, x: Any) -> Any:
        return np.dot(self.hidden(x), self.params["W2"]) + self.params["b2"]

    def probabilities(self, x: Any) -> Any:
        e = np.exp(self.predict(x) - self.predict(x).max(1)[:, None])
        return e / e.sum(1)[:, None]

    def loss(self, x: Any, t: Any) -> Any:
        return float(-np.log(self.probabilities(x)[np.arange(len(x)), t]).sum() / len(x))

    def delta(self, x: Any, t: Any) -> Any:
        """The gradient of the scores."""
        return (self.probabilities(x) - np.eye(len(self.params["b2"]), dtype=x.dtype)[t]) / len(x)

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        h, d = self.hidden(x), self.delta(x, t)
        back = np.dot(d, self.params["W2"].T) * (h > 0)
        return {"dW1": np.dot(x.T, back), "db1": back.sum(0), "dW2": np.dot(h.T, d), "db2": d.sum(0)}


class Einsum(Plain):
    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        h, d = self.hidden(x), self.delta(x, t)
        back = np.einsum("no,ho->nh", d, self.params["W2"]) * (h > 0)
        return {"W1": np.einsum("ni,nh->ih", x, back), "b1": np.einsum("nh->h", back), "W2": np.einsum("nh,no->ho", h, d), "b2": d.sum(0)}


class Reversed(Plain):
    """Sums over the batch from its last row to its first."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        return super().gradient(x[::-1], t[::-1])


class Blocks(Plain):
    """The batch in blocks of three rows, whose gradients are added one after another."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        total: dict[str, Any] = {}
        for at in range(0, len(x), 3):
            rows, labels = x[at : at + 3], t[at : at + 3]
            for name, g in super().gradient(rows, labels).items():
                total[name] = total.get(name, 0) + g * (len(rows) / len(x))
        return {name: np.asarray(g, x.dtype) for name, g in total.items()}


class RowByRow(Plain):
    """A row at a time, summed first and divided at the end."""

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        parts = [super(RowByRow, self).gradient(x[i : i + 1], t[i : i + 1]) for i in range(len(x))]
        return {name: (sum(part[name] for part in parts) / np.asarray(len(x), x.dtype)).astype(x.dtype) for name in parts[0]}


class ScaledAfter(Plain):
    """Divided by the size of the batch at the end."""

    def delta(self, x: Any, t: Any) -> Any:
        return super().delta(x, t) * x.dtype.type(len(x))

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        return {name: g / x.dtype.type(len(x)) for name, g in super().gradient(x, t).items()}


class _Wider(Plain):
    wide: Any = np.float64

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        shown = self.params
        self.params = {name: a.astype(self.wide) for name, a in shown.items()}
        try:
            found = super().gradient(x.astype(self.wide), t)
        finally:
            self.params = shown
        return {name: g.astype(x.dtype) for name, g in found.items()}


class ThroughFloat64(_Wider):
    """Computes in float64 and rounds at the end."""


class ThroughLongDouble(_Wider):
    """Computes in extended precision and rounds at the end."""

    wide = np.longdouble


class Buffers(TwoLayerNet):
    """The same arrays are handed out each time, and overwritten by what comes next."""

    def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
        super().__init__(*sizes, dtype=dtype)
        self.buffers = {name: np.zeros_like(a) for name, a in self.params.items()}

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        for name, g in super().gradient(x, t).items():
            self.buffers[name][...] = g
        return self.buffers

    def loss(self, x: Any, t: Any) -> Any:
        for buffer in self.buffers.values():
            buffer.fill(np.nan)
        return super().loss(x, t)


class Unmeasured:
    """Neither accuracy nor predict: nobody can tell what it classifies."""

    def __init__(self, *sizes: int, dtype: Any = np.float64) -> None:
        self._net = Plain(*sizes, dtype=dtype)
        self.params = self._net.params
        self.loss, self.gradient = self._net.loss, self._net.gradient
