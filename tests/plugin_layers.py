"""Layers for the tests of the plugin, as the text of a user's module, and the rows of Relu."""

LAYERS = """
import numpy as np
import pytest

class Right:
    def forward(self, x):
        self.mask = ~(np.asarray(x) <= 0)
        return np.maximum(x, 0)

    def backward(self, dout):
        if np.shape(dout) != np.shape(self.mask):
            raise ValueError("dout has another shape than the result")
        return np.where(self.mask, dout, 0).astype(np.asarray(dout).dtype)

class Wrong(Right):
    def backward(self, dout):
        return 2 * super().backward(dout)
"""
ROWS = [f"{branch}-{row}" for branch in ("matrix", "any-rank") for row in ("forward.out", "backward.dx", "contracts")]
