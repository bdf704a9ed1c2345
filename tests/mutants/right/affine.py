"""Right Affines in other styles."""

from __future__ import annotations

import numpy as np

from tests.mutants.honest import Array, HonestAffine
from tests.mutants.registry import right


@right("Affine", "einsum everywhere")
class AffineByEinsum(HonestAffine):
    def value(self, x: Array) -> Array:
        return np.einsum("nd,dm->nm", x, self.W) + self.b

    def input_grad(self, d: Array) -> Array:
        return np.einsum("nm,dm->nd", d, self.W)

    def weights_grad(self, d: Array) -> Array:
        return np.einsum("nd,nm->dm", self.x, d)

    def bias_grad(self, d: Array) -> Array:
        return np.einsum("nm->m", d)


def _product(a: Array, b: Array) -> Array:
    """tensordot, except with a single number: np.dot scales by it, and BLAS scales by 0 without looking for inf."""
    return a * b if 1 in (a.size, b.size) else np.tensordot(a, b, axes=(1, 0))


@right("Affine", "tensordot")
class AffineByTensordot(HonestAffine):
    def value(self, x: Array) -> Array:
        return _product(x, self.W) + self.b if x.shape[1] == 1 else np.tensordot(x, self.W, axes=(1, 0)) + self.b

    def weights_grad(self, d: Array) -> Array:
        return _product(self.x.T, d) if len(d) == 1 else np.tensordot(self.x, d, axes=(0, 0))


@right("Affine", "outer products added up one by one, the bias first")
class AffineByOuterProducts(HonestAffine):
    def value(self, x: Array) -> Array:
        y = np.broadcast_to(self.b, (len(x), len(self.b))).copy()
        for k in range(x.shape[1]):
            y += np.outer(x[:, k], self.W[k])
        return y

    def bias_grad(self, d: Array) -> Array:
        db = np.zeros_like(self.b, order="C")
        for row in d[::-1]:
            db = db + row
        return db


@right("Affine", "blocks of 16 of the inner axis")
class AffineByBlocks(HonestAffine):
    def value(self, x: Array) -> Array:
        y = np.zeros((len(x), self.W.shape[1]), x.dtype)
        for start in range(0, x.shape[1], 16):
            y = y + x[:, start : start + 16] @ self.W[start : start + 16]
        return y + self.b


@right("Affine", "the bias as a row of W and ones in x")
class AffineAugmented(HonestAffine):
    def value(self, x: Array) -> Array:
        return np.hstack([x, np.ones((len(x), 1), x.dtype)]) @ np.vstack([self.W, self.b[None]])

    def bias_grad(self, d: Array) -> Array:
        return np.ones(len(d), d.dtype) @ d


@right("Affine", "in float64, then cast back")
class AffineInDouble(HonestAffine):
    def value(self, x: Array) -> Array:
        return (x.astype(np.float64) @ self.W.astype(np.float64) + self.b).astype(x.dtype)

    def input_grad(self, d: Array) -> Array:
        return (d.astype(np.float64) @ self.W.T.astype(np.float64)).astype(d.dtype)


@right("Affine", "the transposed problem: (W^T x^T)^T, in Fortran order")
class AffineTransposed(HonestAffine):
    def value(self, x: Array) -> Array:
        return np.asfortranarray((self.W.T @ x.T).T + self.b)

    def weights_grad(self, d: Array) -> Array:
        return np.asfortranarray((d.T @ self.x).T)


@right("Affine", "elementwise products summed over a third axis")
class AffineByBroadcasting(HonestAffine):
    def input_grad(self, d: Array) -> Array:
        if d.size * self.W.shape[0] > 2**18:
            return super().input_grad(d)
        return (d[:, None, :] * self.W[None]).sum(axis=2)
