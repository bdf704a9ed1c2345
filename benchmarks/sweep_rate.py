"""How fast the sweep is against the bare loop, layer by layer: same cases, one process, one thread, in turns.

The bare loop is the ceiling: NumPy forward and backward, torch forward and autograd.grad, and one vectorised comparison of each
quantity, on cases that are already drawn. The sweep draws them, guards every call, computes allowed errors and counts. Run with
`python benchmarks/sweep_rate.py [LAYER...]`.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from oracle.core.case import Case
from oracle.core.judge import judge
from oracle.core.observe import Runnable, watching
from oracle.core.spec import LayerSpec
from oracle.core.torch_side import compiled
from oracle.search.numbered import cases
from oracle.search.sweep import sweep
from oracle.specs import all_specs, spec_named
from oracle.subjects import subject_of

DTYPES = ("float64", "float32")
ROUNDS, FIRST, CASES = 9, 1024, 1024


def bare(spec: LayerSpec, subject: Runnable, case: Case) -> bool:
    """One case without any guard: both sides and one comparison per quantity."""
    state = subject.start(case.params, case.config)
    actual = subject.forward(state, case.inputs)
    if spec.wrt:
        actual = (*actual, *subject.backward(state, case.cotangents))
    tensors = {name: torch.from_numpy(a) for group in (case.inputs, case.params) for name, a in group.items()}
    leaves = [tensors[name].requires_grad_() for name in spec.wrt]
    out = compiled(spec.expression(case.branch), tuple(tensors))(*tensors.values())
    expected = out if isinstance(out, tuple) else (out,)
    if leaves:
        root = expected[list(spec.outputs).index(next(iter(case.cotangents)))]
        cotangents = [torch.from_numpy(c) for c in case.cotangents.values()]
        expected = (*[y.detach() for y in expected], *torch.autograd.grad([root], leaves, cotangents))
    return all((np.abs(a - e.numpy()) <= 1e-6 + 1e-6 * np.abs(e.numpy())).all() for a, e in zip(actual, expected, strict=True))


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(spec: LayerSpec) -> tuple[float, dict[str, float]]:
    """Median seconds per case of the bare loop, and of the sweep and its parts."""
    subject = subject_of(spec)
    times: dict[str, list[float]] = {"bare": [], "draw": [], "judge": [], "sweep": []}
    with np.errstate(all="ignore"):
        for turn in range(ROUNDS):
            start = FIRST + turn * CASES
            drawn: list[Case] = []
            times["draw"].append(seconds(lambda: drawn.extend(c for _, c in cases(spec, 0, DTYPES, start, start + CASES))))  # noqa: B023
            fair = [c for c in drawn if c.refusal is None]
            share = len(drawn) / len(fair)
            times["bare"].append(share * seconds(lambda: [bare(spec, subject, c) for c in fair]))  # noqa: B023
            times["sweep"].append(seconds(lambda: sweep(spec, subject, 0, DTYPES, start, start + CASES)))  # noqa: B023
            with watching():
                times["judge"].append(seconds(lambda: [judge(spec, subject, c, False) for c in drawn]))  # noqa: B023
    medians = {name: statistics.median(values) / CASES for name, values in times.items()}
    return statistics.median(b / s for b, s in zip(times["bare"], times["sweep"], strict=True)), medians


def main() -> None:
    names = sys.argv[1:] or list(all_specs())
    table = Table("layer", *[f"{part}, us" for part in ("bare", "draw", "judge", "sweep")], "sweep, cases/s", "bare / sweep")
    for name in names:
        ratio, times = measure(spec_named(name))
        table.add_row(name, *[f"{t * 1e6:.0f}" for t in times.values()], f"{1 / times['sweep']:,.0f}", f"{ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
