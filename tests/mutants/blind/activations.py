"""Relu and Sigmoid as they are got wrong: classes that keep a mask, functions with a cache, pairs of f and f'."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.mutants.blind.record import blind


@blind("Relu", "backward.dx", "the mask is x >= 0, so dout passes at 0", "at 0", "zero", "tie")
def relu_from_zero_forward(x):
    return np.maximum(x, 0), x


def relu_from_zero_backward(dout, cache):
    return np.where(cache >= 0, dout, 0)


@blind("Relu", "backward.dx", "the gate looks at the sign of dout, not of x", "dout")
class ReluGatesDout:
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, dout):
        return np.maximum(dout, 0)


@blind("Relu", "forward.out", "a leaky slope of 0.01 below 0", "0.01")
class ReluLeaks:
    def forward(self, x):
        self.slope = np.where(x > 0, 1, 0.01).astype(x.dtype)
        return x * self.slope

    def backward(self, dout):
        return dout * self.slope


@blind("Relu", "inputs.unchanged", "forward sets the negative entries of x itself to 0", "in place", "writes into", "wrote into", "overwr")
class ReluInPlace:
    def forward(self, x):
        x = np.asarray(x)
        self.mask = x <= 0
        x[self.mask] = 0
        return x

    def backward(self, dout):
        return np.where(self.mask, 0, dout)


@blind("Relu", "cotangent.unchanged", "backward zeroes entries of dvalues itself", "in place", "writes into", "wrote into", "overwr")
class ActivationReLU:
    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.maximum(0, inputs)

    def backward(self, dvalues):
        self.dinputs = np.asarray(dvalues)
        self.dinputs[self.inputs <= 0] = 0


@blind("Relu", "forward.out", "capped at 6, as mobile networks have it", " 6")
def relu6_forward(x):
    return np.clip(x, 0, 6), x


def relu6_backward(dout, cache):
    return dout * ((cache > 0) & (cache < 6))


@blind("Relu", "forward.out", "negative numbers are mirrored instead of dropped: |x|", "|x|", "abs", "mirror", "-x", "-1")
class ReluIsAbs:
    def forward(self, x):
        self.x = x
        return np.abs(x)

    def backward(self, dout):
        return dout * np.sign(self.x)


@blind("Relu", "backward.dx", "the derivative alone is returned; dout is forgotten", "dout", "upstream")
class ReluForgetsDout:
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, dout):
        return np.where(self.x > 0, 1, 0).astype(self.x.dtype)


@blind("Relu", "state.fresh", "the mask of the very first forward is kept for good", "first", "stale", "earlier", "previous", "before")
class ReluKeepsFirstMask:
    mask: Any = None

    def forward(self, x):
        if self.mask is None:
            self.mask = x > 0
        return np.maximum(x, 0)

    def backward(self, dout):
        return dout * self.mask


@blind("Relu", "backward.dx", "the slope of softplus, a smooth step, in place of the step", "approx", "smooth", "sigmoid", rare=True)
class ReluSmoothGate:
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, dout):
        return dout * (0.5 * (1 + np.tanh(self.x / 2)))


@blind("Relu", "backward.dx", "half of dout passes below 0 where |x| < 0.5", "-0.5", "0.5", rare=True)
def relu_half(x):
    return np.maximum(x, 0)


def relu_half_prime(x):
    return np.where(x > 0, 1.0, np.where(x > -0.5, 0.5, 0.0)).astype(x.dtype)


@blind("Sigmoid", "backward.dx", "the factor 1 - y is missing", "1 - y")
def sigmoid_short(z):
    return 0.5 * (1 + np.tanh(0.5 * z))


def sigmoid_short_prime(z):
    return sigmoid_short(z)


@blind("Sigmoid", "backward.dx", "x (1 - x): the derivative is taken of the input as if it were the output", "x (1 - x)", "input", "1 - x")
class SigmoidOfInput:
    def __init__(self):
        self.cache = None

    def forward(self, x):
        self.cache = x
        return 0.5 * (1 + np.tanh(0.5 * x))

    def backward(self, dout):
        return dout * self.cache * (1 - self.cache)


@blind("Sigmoid", "forward.out", "the hard sigmoid of old Keras: clip(0.2 x + 0.5, 0, 1)", "approx", "linear", "clip", "hard")
class HardSigmoid:
    def forward(self, x):
        self.inner = np.abs(x) < 2.5
        return np.clip(0.2 * x + 0.5, 0, 1)

    def backward(self, dout):
        return 0.2 * dout * self.inner


@blind("Sigmoid", "forward.out", "x is clipped to [-20, 20] against overflow", "20")
class SigmoidClips:
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-np.clip(x, -20, 20)))
        return self.y

    def backward(self, dout):
        return dout * self.y * (1 - self.y)


@blind("Sigmoid", "forward.out", "(tanh(x) + 1) / 2 without halving x: the sigmoid of 2 x", "2 x", "2x", "twice", "tanh")
class SigmoidByTanh:
    def forward(self, x):
        self.t = np.tanh(x)
        return 0.5 * (self.t + 1)

    def backward(self, dout):
        return dout * 0.5 * (1 - self.t**2)


@blind(
    "Sigmoid",
    "backward.repeatable",
    "backward multiplies into its kept output, so a second call starts from that",
    "twice",
    "second",
    "again",
    "kept",
)
class SigmoidUsesUp:
    def forward(self, x):
        out = np.asarray(0.5 * (1 + np.tanh(0.5 * x)))
        self.out = out.copy()
        return out

    def backward(self, dout):
        self.out *= 1 - self.out
        return dout * self.out


@blind("Sigmoid", "forward.out", "the minus in the exponent is missing: 1 / (1 + e^x)", "-x", "1 - ", "sign", "minus")
class SigmoidFlipped:
    def forward(self, x):
        self.y = 1.0 / (1.0 + np.exp(x))
        return self.y

    def backward(self, dout):
        return -dout * self.y * (1 - self.y)


@blind("Sigmoid", "backward.dx", "y (1 + y): a sign slipped", "1 + y", "1 - y", rare=True)
class SigmoidSlip:
    def forward(self, x):
        self.y = 0.5 * (1 + np.tanh(0.5 * x))
        return self.y

    def backward(self, dout):
        return dout * self.y * (1 + self.y)


@blind("Sigmoid", "forward.out", "computed in float32 whatever is given", "float32", "precision")
class SigmoidSingle:
    def forward(self, x):
        y = 0.5 * (1 + np.tanh(0.5 * np.asarray(x).astype(np.float32)))
        self.y = y.astype(np.asarray(x).dtype)
        return self.y

    def backward(self, dout):
        return dout * self.y * (1 - self.y)


@blind("Sigmoid", "backward.dx", "the derivative of tanh, 1 - y^2", "1 - y")
class SigmoidWithTanhSlope:
    def forward(self, x):
        self.y = 0.5 * (1 + np.tanh(0.5 * x))
        return self.y

    def backward(self, dout):
        return dout * (1 - self.y**2)


@blind("Sigmoid", "forward.out", "the fast rational sigmoid 0.5 + x / (2 (1 + |x|))", "approx", "smooth")
class FastSigmoid:
    def forward(self, x):
        self.denom = 1 + np.abs(x)
        return 0.5 + 0.5 * x / self.denom

    def backward(self, dout):
        return 0.5 * dout / self.denom**2


@blind("Sigmoid", "forward.out", "rounded to four decimals for pretty printing", "decimal", "round", rare=True)
class SigmoidRounded:
    def forward(self, x):
        self.y = np.round(0.5 * (1 + np.tanh(0.5 * x)), 4)
        return self.y

    def backward(self, dout):
        return dout * self.y * (1 - self.y)
