"""Wrong Sigmoids."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.mutants.honest import Array, HonestSigmoid, silent
from tests.mutants.registry import planted


@planted("Sigmoid", "call.no-warnings", "1 / (1 + exp(-x)) as it stands: exp overflows with a warning")
class SigmoidOverflows(HonestSigmoid):
    def forward(self, x: Any) -> Array:
        y = super().forward(x)
        np.exp(-self.x)
        return y


@planted("Sigmoid", "forward.out", "x clipped at +-15")
class SigmoidClippedAt15(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return super().value(np.clip(x, -15, 15))


@planted("Sigmoid", "forward.out", "x clipped at +-30")
class SigmoidClippedAt30(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return super().value(np.clip(x, -30, 30))


@planted("Sigmoid", "forward.out", "x clipped at +-500: wrong only for float64 below -500")
class SigmoidClippedAt500(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return super().value(np.clip(x, -500, 500))


@planted("Sigmoid", "backward.dx", "the factor 1 - y is missing")
class SigmoidWithoutRest(HonestSigmoid):
    def slope(self, d: Array) -> Array:
        return d * self.y


@planted("Sigmoid", "backward.dx", "y (1 + y) instead of y (1 - y)")
class SigmoidPlus(HonestSigmoid):
    def slope(self, d: Array) -> Array:
        return d * (self.y * (1 + self.y))


@planted("Sigmoid", "backward.dx", "x (1 - x): the input is kept instead of the output")
class SigmoidKeepsX(HonestSigmoid):
    def slope(self, d: Array) -> Array:
        return d * (self.x * (1 - self.x))


@planted("Sigmoid", "backward.dx", "1 - y**2, the derivative of tanh")
class SigmoidWithTanhSlope(HonestSigmoid):
    def slope(self, d: Array) -> Array:
        return d * (1 - self.y**2)


@planted("Sigmoid", "cotangent.honoured", "dout is ignored")
class SigmoidIgnoresDout(HonestSigmoid):
    def slope(self, d: Array) -> Array:
        return (1 - self.y) * self.y + 0 * d


@planted("Sigmoid", "backward.dx", "dout squared")
class SigmoidSquaresDout(HonestSigmoid):
    def slope(self, d: Array) -> Array:
        return d * super().slope(d)


@planted("Sigmoid", "forward.out", "a rational approximation of tanh, good to about 1e-4")
class SigmoidRational(HonestSigmoid):
    def value(self, x: Array) -> Array:
        z = np.clip(x, -9, 9) / 2
        square = z * z
        tanh = z * (945 + square * (105 + square)) / (945 + square * (420 + 15 * square))
        return (1 + np.clip(tanh, -1, 1)) / 2


@planted("Sigmoid", "forward.out", "a hard sigmoid, 0.2 x + 0.5 cut to [0, 1]")
class SigmoidHard(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return np.clip(x * x.dtype.type(0.2) + x.dtype.type(0.5), 0, 1)


@planted("Sigmoid", "forward.out", "computed in float32 whatever came in")
class SigmoidInSingle(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return super().value(x.astype(np.float32)).astype(x.dtype)


@planted("Sigmoid", "forward.out", "computed in float16 whatever came in")
class SigmoidInHalf(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return super().value(x.astype(np.float16)).astype(x.dtype)


@planted("Sigmoid", "results.dtype", "computed in float64 and left there")
class SigmoidStaysDouble(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return super().value(x.astype(np.float64))


@planted("Sigmoid", "forward.out", "1 - 1 / (1 + e^x): all digits are lost for very negative x")
class SigmoidByDifference(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return 1 - 1 / (1 + np.exp(x))


@planted("Sigmoid", "forward.out", "exp(x) / (1 + exp(x)): NaN once exp overflows")
class SigmoidByPositiveExp(HonestSigmoid):
    def value(self, x: Array) -> Array:
        e = np.exp(x)
        return e / (1 + e)


@planted("Sigmoid", "forward.out", "1e-7 under the fraction against division by 0")
class SigmoidWithEpsilon(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return 1 / (1 + np.exp(-x) + x.dtype.type(1e-7))


@planted("Sigmoid", "forward.out", "NaN becomes 0.5 by nan_to_num")
class SigmoidSwallowsNan(HonestSigmoid):
    def value(self, x: Array) -> Array:
        return super().value(np.nan_to_num(x, nan=0.0, posinf=np.inf, neginf=-np.inf))


@planted("Sigmoid", "results.own-memory", "returns the array it keeps, and the next forward writes into it")
class SigmoidReusesOutput(HonestSigmoid):
    kept: Array | None = None

    def forward(self, x: Any) -> Array:
        y = super().forward(x)
        if self.kept is None or self.kept.shape != y.shape:
            self.kept = np.empty_like(y)
        self.kept[...] = y
        return self.kept


@planted("Sigmoid", "backward.repeatable", "backward turns the kept y into the slope in place")
class SigmoidOverwritesState(HonestSigmoid):
    def slope(self, d: Array) -> Array:
        self.y *= 1 - self.y
        return d * self.y


@planted("Sigmoid", "state.fresh", "computes y for the first input only")
class SigmoidKeepsFirstOutput(HonestSigmoid):
    first: Array | None = None

    def slope(self, d: Array) -> Array:
        if self.first is None or self.first.shape != d.shape:
            self.first = self.y
        return d * ((1 - self.first) * self.first)


@planted("Sigmoid", "backward.dx", "the slope where y is 1 is set to 1e-12, so that learning goes on")
class SigmoidNeverFlat(HonestSigmoid):
    def slope(self, d: Array) -> Array:
        return d * np.maximum((1 - self.y) * self.y, self.y.dtype.type(1e-12))


@planted("Sigmoid", "backward.dx", "wrong for more than two axes only: the slope is taken from the first matrix")
class SigmoidWrongForTensors(HonestSigmoid):
    def slope(self, d: Array) -> Array:
        if d.ndim < 3:
            return super().slope(d)
        first = np.broadcast_to(self.y[:1], self.y.shape)
        return d * ((1 - first) * first)


@planted("Sigmoid", "backward.dx", "the derivative by a forward difference of 1e-6")
class SigmoidByDifferenceQuotient(HonestSigmoid):
    def slope(self, d: Array) -> Array:
        h = self.x.dtype.type(1e-6)
        with silent():
            return d * ((self.value(self.x + h) - self.value(self.x)) / h)
