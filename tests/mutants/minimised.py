"""How small the counterexamples of the planted faults become. Run as `python -m tests.mutants.minimised [how many of the worst]`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from oracle.core.case import Array, Case
from oracle.core.judge import judge
from oracle.search.minimise import Minimiser
from oracle.search.numbered import case_at
from oracle.specs import spec_named
from oracle.subjects import subject_of
from tests.mutants.hunt import DTYPES, SEED, hunt
from tests.mutants.registry import planted_faults

SMALL_INTEGER, DIGITS = 9, 3
WORST = 25


class Minimised(NamedTuple):
    """One counterexample, before and after.

    judged: how often the layer was run. unsimple: elements that are no small integer. cotangents: how many of them are not 0.
    """

    mutant: str
    row: str
    seconds: float
    judged: int
    before: Case
    after: Case

    @property
    def arrays(self) -> list[Array]:
        """All arrays of the case, and those that the object was used on before."""
        prior = [] if self.after.prior is None else [*self.after.prior.inputs.values(), *self.after.prior.cotangents.values()]
        return [*self.after.arrays.values(), *prior]

    @property
    def longest(self) -> int:
        """The longest axis."""
        return max((n for a in self.arrays for n in a.shape), default=0)

    @property
    def unsimple(self) -> int:
        return sum(_unsimple(a) for a in self.arrays)

    @property
    def long_numbers(self) -> int:
        """Numbers of more than three digits."""
        return sum(_digits(v) > DIGITS for a in self.arrays if a.dtype.kind == "f" for v in a.reshape(-1))

    @property
    def cotangents(self) -> int:
        return sum(int(np.count_nonzero(a)) for a in self.after.cotangents.values())

    @property
    def plain(self) -> bool:
        return self.after.protocol == "plain" and self.after.layout == "C"


def _unsimple(a: Array) -> int:
    """How many elements take more than a glance to read."""
    if a.dtype.kind != "f":
        return 0
    return int((~((a == np.round(a)) & (np.abs(a) <= SMALL_INTEGER)) | ((a == 0) & np.signbit(a))).sum())


def _digits(value: np.floating[Any]) -> int:
    if not np.isfinite(value):
        return 0
    return len(np.format_float_scientific(abs(value), unique=True, trim="-").partition("e")[0].replace(".", ""))


class _Counted:
    """A subject that counts how many objects it made: every observation makes at least one."""

    def __init__(self, subject: Any) -> None:
        self._subject, self.runs = subject, 0

    def start(self, params: Any, config: Any) -> Any:
        self.runs += 1
        return self._subject.start(params, config)

    def forward(self, state: Any, inputs: Any) -> Any:
        return self._subject.forward(state, inputs)

    def backward(self, state: Any, cotangents: Any) -> Any:
        return self._subject.backward(state, cotangents)


def minimised(minimiser: Any = Minimiser) -> Iterator[Minimised]:
    """The first counterexample of every row on which a planted fault must be convicted, minimised."""
    for mutant in planted_faults():
        spec = spec_named(mutant.spec)
        subject = _Counted(subject_of(spec, mutant.layer))
        first = hunt(mutant.spec, mutant.layer, mutant.on).first
        for row in mutant.on:
            if row not in first:
                continue
            case = case_at(spec, SEED, DTYPES, first[row])
            with np.errstate(all="ignore"):
                finding = next(f for f in judge(spec, subject, case).findings if f.name == row)
            subject.runs = 0
            start = time.perf_counter()
            small = minimiser(spec, subject, finding.key).smaller(case)
            yield Minimised(f"{mutant.spec}-{mutant.name}", row, time.perf_counter() - start, subject.runs, case, small)


def main(worst: int = WORST) -> None:
    """Print the shares, and the counterexamples that are hardest to read."""
    found = list(minimised())
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(_shares(found), _worst(found, worst))


def _shares(found: list[Minimised]) -> Table:
    table = Table("of the counterexamples", "", title=f"{len(found)} minimised", box=box.SIMPLE, title_justify="left")
    for what, share in {
        "every axis at most 2": [m.longest <= 2 for m in found],
        "every axis at most 3": [m.longest <= 3 for m in found],
        "all values small integers": [m.unsimple == 0 for m in found],
        "no number of more than three digits": [m.long_numbers == 0 for m in found],
        "at most one cotangent that is not 0": [m.cotangents <= 1 for m in found],
        "plain protocol in C order": [m.plain for m in found],
    }.items():
        table.add_row(what, f"{np.mean(share):.1%}")
    for what, numbers in {"seconds": [m.seconds for m in found], "runs of the layer": [m.judged for m in found]}.items():
        half, most, all_ = np.quantile(np.array(numbers, np.float64), [0.5, 0.95, 1.0])
        table.add_row(f"{what}: median, 95 %, worst", f"{half:.3g}, {most:.3g}, {all_:.3g}")
    table.add_row("elements that are not 0, mean", f"{np.mean([_weight(m) for m in found]):.2f}")
    return table


def _weight(m: Minimised) -> int:
    return sum(int(np.count_nonzero(a)) for a in m.arrays)


def _worst(found: list[Minimised], n: int) -> Table:
    columns = ("mutant", "row", "s", "runs", "handling", "arrays")
    table = Table(*columns, title="The hardest to read", box=box.SIMPLE, title_justify="left")
    table.columns[-1].overflow = "fold"
    for m in sorted(found, key=lambda m: (m.unsimple, m.cotangents, m.longest, _weight(m)), reverse=True)[:n]:
        arrays = escape("; ".join(f"{name}{list(a.shape)} {_shown(a)}" for name, a in m.after.arrays.items()))
        table.add_row(
            m.mutant,
            m.row,
            f"{m.seconds:.2f}",
            str(m.judged),
            f"{m.after.dtype} {m.after.branch} {m.after.protocol} {m.after.layout}",
            arrays,
        )
    return table


def _shown(a: Array) -> str:
    return str(a.reshape(-1)[:6].tolist()) if a.size else ""


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
