"""A project with a gate: a layer file, a configuration, and the commands that are tried on them."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from oracle.cli import main
from oracle.results import Run, read_run

RIGHT = """
import numpy as np

class Relu:
    x = None

    def forward(self, x):
        self.x = x.copy()
        return np.where(x < 0, x.dtype.type(0), x)

    def backward(self, dout):
        if self.x is None:
            raise RuntimeError("forward first")
        if dout.shape != self.x.shape:
            raise ValueError("dout has another shape")
        return np.where(self.x <= 0, dout.dtype.type(0), dout)
"""
TIES = RIGHT.replace("self.x <= 0", "self.x < 0")
"""The gradient at 0 is dout, where torch gives 0."""
RARE = RIGHT.replace(
    "        return np.where(x < 0",
    "        if x.size == 1 and float(x.flat[0]) == 0.375:\n            return -x\n        return np.where(x < 0",
)
"""Wrong for one number alone, which no search comes upon."""
BASE = 'layers = ["layers.py:Relu"]\nexamples = 240\nplanted = false\nseed = 5\n'
KNOWN = """
[[known]]
layer = "layers.py:Relu"
branch = "{branch}"
quantity = "backward.dx"
reason = "at 0 we take the other side"
link = "https://example.org/issues/7"
{more}
"""
BOTH = "".join(KNOWN.format(branch=branch, more="") for branch in ("matrix", "any-rank"))


def written(text: str, layer: str = TIES) -> None:
    Path("gradconform.toml").write_text(text, encoding="utf-8")
    Path("layers.py").write_text(layer, encoding="utf-8")


def gate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", "--gate", "--workers", "1", "--out", "out", *arguments], catch_exceptions=False)


def keep(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["keep", *map(str, arguments)], catch_exceptions=False)


def found() -> Run:
    return read_run(Path("out/results.jsonl"))


def plain(result: Result) -> str:
    return " ".join(result.output.split())
