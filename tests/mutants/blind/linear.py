"""Affine as it is got wrong, by textbook layers, course functions, dense layers with attributes, and torch-like modules."""

from __future__ import annotations

import numpy as np

from tests.mutants.blind.record import blind


@blind("Affine", "backward.db", "db is the mean over the batch, not the sum", "mean", "1/n", "averag", " n ")
class AffineMeanBias:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.shape = x.shape
        self.x = x.reshape(x.shape[0], self.W.shape[0])
        return self.x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.mean(axis=0)
        return (dout @ self.W.T).reshape(self.shape)


@blind("Affine", "backward.dW", "dW is divided by the batch size, as if the loss did not do it already", "1/n", " n")
def affine_averaged_forward(x, w, b):
    flat = x.reshape(x.shape[0], w.shape[0])
    return flat @ w + b, (x, w)


def affine_averaged_backward(dout, cache):
    x, w = cache
    n = x.shape[0]
    dw = x.reshape(n, w.shape[0]).T @ dout / n
    return (dout @ w.T).reshape(x.shape), dw, dout.sum(axis=0)


@blind("Affine", "results.shape", "db is dout itself: the sum over the batch is forgotten", "shape", "sum", "batch")
def affine_unsummed_forward(x, w, b):
    return x.reshape(x.shape[0], w.shape[0]) @ w + b, (x, w, b)


def affine_unsummed_backward(dout, cache):
    x, w, _ = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(x.shape[0], w.shape[0]).T @ dout, dout.copy()


@blind("Affine", "results.shape", "the gradient of W comes back as (out, in)", "transpos", ".t")
class AffineTransposedGrad:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x.reshape(len(x), len(self.W)) @ self.W + self.b

    def backward(self, dout):
        self.dW = dout.T @ self.x.reshape(len(self.x), len(self.W))
        self.db = dout.sum(0)
        return (dout @ self.W.T).reshape(self.x.shape)


@blind("Affine", "forward.out", "the bias is never added", "bias", " b ", "b is")
class DenseNoBias:
    def __init__(self, n_inputs, n_neurons):
        self.weights = 0.01 * np.random.randn(n_inputs, n_neurons)
        self.biases = np.zeros((1, n_neurons))

    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs.reshape(len(inputs), self.weights.shape[0]) @ self.weights

    def backward(self, dvalues):
        flat = self.inputs.reshape(len(self.inputs), self.weights.shape[0])
        self.dweights = flat.T @ dvalues
        self.dbiases = dvalues.sum(axis=0, keepdims=True)
        self.dinputs = (dvalues @ self.weights.T).reshape(self.inputs.shape)


@blind("Affine", "backward.repeatable", "gradients are added up over backward calls and never reset", "accumul", "add", "up")
class LinearAccumulates:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW, self.db = np.zeros_like(W), np.zeros_like(b)

    def forward(self, x):
        self.x = x
        return x.reshape(len(x), len(self.W)) @ self.W + self.b

    def backward(self, dout):
        self.dW += self.x.reshape(len(self.x), len(self.W)).T @ dout
        self.db += dout.sum(axis=0)
        return (dout @ self.W.T).reshape(self.x.shape)


@blind("Affine", "backward.dW", "weight decay of 0.01 W is added inside the layer", "0.01", "decay", "regular", "w is added", "of w")
class AffineDecays:
    reg = 0.01

    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x.reshape(len(x), len(self.W)) @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.reshape(len(self.x), len(self.W)).T @ dout + self.reg * self.W
        self.db = np.sum(dout, axis=0)
        return (dout @ self.W.T).reshape(self.x.shape)


@blind(
    "Affine", "results.shape", "dx stays flattened: it is not put back into the shape of x", "reshap", "flat", "shape of x", branch="tensor"
)
class AffineStaysFlat:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x.reshape(len(x), len(self.W))
        return self.x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


@blind("Affine", "params.unchanged", "backward takes a gradient step on W by itself", "w", "writes", "wrote", "in place")
class AffineLearns:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x.reshape(len(x), len(self.W)) @ self.W + self.b

    def backward(self, dout):
        dx = (dout @ self.W.T).reshape(self.x.shape)
        self.dW = self.x.reshape(len(self.x), len(self.W)).T @ dout
        self.db = dout.sum(axis=0)
        self.W -= 0.1 * self.dW
        return dx


@blind("Affine", "backward.dW", "each entry of dW is clipped to [-1, 1]", "clip", "[-1, 1]", "cut")
class AffineClipsGrad:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x.reshape(len(x), len(self.W)) @ self.W + self.b

    def backward(self, dout):
        self.dW = np.clip(self.x.reshape(len(self.x), len(self.W)).T @ dout, -1, 1)
        self.db = dout.sum(axis=0)
        return (dout @ self.W.T).reshape(self.x.shape)


@blind("Affine", "forward.out", "scores are divided by the root of the number of inputs, as in attention", "sqrt", "root")
class AffineScaled:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.s = np.asarray(1 / np.sqrt(max(len(W), 1))).astype(W.dtype)

    def forward(self, x):
        self.x = x
        return x.reshape(len(x), len(self.W)) @ self.W * self.s + self.b

    def backward(self, dout):
        self.dW = self.x.reshape(len(self.x), len(self.W)).T @ dout * self.s
        self.db = dout.sum(axis=0)
        return (dout @ self.W.T * self.s).reshape(self.x.shape)


@blind("Affine", "backward.dW", "dW is made as (out, in) and reshaped, not transposed, to (in, out)", "transpos", "order", "reshap")
def affine_reordered_forward(x, w, b):
    return x.reshape(len(x), len(w)) @ w + b, (x, w)


def affine_reordered_backward(dout, cache):
    x, w = cache
    dw = (dout.T @ x.reshape(len(x), len(w))).reshape(w.shape)
    return (dout @ w.T).reshape(x.shape), dw, dout.sum(axis=0)


@blind("Affine", "backward.dW", "the last row of the batch is left out by an off-by-one slice", "last", rare=True)
class AffineDropsLast:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x.reshape(len(x), len(self.W)) @ self.W + self.b

    def backward(self, dout):
        flat = self.x.reshape(len(self.x), len(self.W))
        self.dW = flat[:-1].T @ dout[:-1]
        self.db = dout.sum(axis=0)
        return (dout @ self.W.T).reshape(self.x.shape)


@blind("Affine", "backward.db", "db is taken from the first row of the batch", "first", "row", rare=True)
class AffineFirstRow:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x.reshape(len(x), len(self.W)) @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.reshape(len(self.x), len(self.W)).T @ dout
        self.db = dout[0].copy() if len(dout) else np.zeros_like(self.b)
        return (dout @ self.W.T).reshape(self.x.shape)


@blind("Affine", "forward.out", "a torch port that multiplies in float16 to save memory", "float16", "half", "precision")
class HalfLinear:
    def __init__(self, in_features, out_features):
        self.weight = np.zeros((out_features, in_features))
        self.bias = np.zeros(out_features)

    def __call__(self, x):
        self.x = x.reshape(len(x), self.weight.shape[1])
        self.shape = x.shape
        product = self.x.astype(np.float16) @ self.weight.T.astype(np.float16)
        return product.astype(x.dtype) + self.bias

    def backward(self, grad_output):
        self.grad_weight = grad_output.T @ self.x
        self.grad_bias = grad_output.sum(axis=0)
        return (grad_output @ self.weight).reshape(self.shape)
