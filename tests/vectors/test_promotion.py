"""float32 stays float32 under either rule of promotion: NumPy 1.26 looks at values, NumPy 2 at dtypes. The legs of tox try both."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from oracle.results import read_run
from tests.vectors.test_shipped import blocked

WIDENED_BY_1_26 = """
from reference import SoftmaxWithLoss as Ours

class SoftmaxWithLoss(Ours):
    def forward(self, x, t):
        return super().forward(x, t) * 1.0
"""
"""A NumPy scalar times a Python float: float64 to NumPy 1.26, whatever the scalar was; NumPy 2 keeps its dtype."""


def test_a_layer_that_one_rule_widens_is_convicted_under_that_rule_alone(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text(WIDENED_BY_1_26)
    done = blocked("replay", "--corpus", tmp_path / "layers.py:SoftmaxWithLoss", "--out", tmp_path / "out")
    results = read_run(tmp_path / "out" / "results.jsonl").results
    wrong = {(r.branch, r.dtype) for r in results if r.status == "failed"}
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        assert done.returncode == 0 and not wrong, done.stdout + done.stderr
    else:
        assert done.returncode == 1 and {r.quantity for r in results if r.status == "failed"} == {"results.dtype"}
        assert wrong == {(r.branch, r.dtype) for r in results if r.dtype in ("float32", "float16")}
