"""The table of mutants: what was convicted, when and on which rows. Run as `python -m tests.mutants [cases [seed]]`."""

from __future__ import annotations

import sys
from collections import Counter

from rich import box
from rich.console import Console
from rich.table import Table

from tests.mutants.hunt import CASES, SEED, hunt
from tests.mutants.registry import planted_faults, right_layers

FEW = 200


def main(cases: int = CASES, seed: int = SEED) -> None:
    """Print planted faults, their totals by family, and right layers."""
    console = Console(width=None if sys.stdout.isatty() else 200)
    faults, totals = _planted(cases, seed)
    console.print(faults, totals, _right(cases, seed))


def _table(title: str, *columns: str) -> Table:
    table = Table(*columns, title=title, box=box.SIMPLE, title_justify="left")
    table.columns[-1].overflow = "fold"
    return table


def _planted(cases: int, seed: int) -> tuple[Table, Table]:
    columns = ("family", "mutant", "layer", "convicted", "first case", "must be on", "rows convicted")
    faults = _table(f"Planted faults, up to {cases:,} cases", *columns)
    counts: dict[str, Counter[str]] = {}
    for m in planted_faults():
        found = hunt(m.spec, m.layer, m.on, seed, cases)
        convicted = set(m.on) <= found.first.keys()
        last = max((found.first[row] for row in m.on), default=0) if convicted else None
        when = "never" if last is None else f"within {FEW}" if last < FEW else f"within {cases:,}"
        rows = ", ".join(f"{row} ({case})" for row, case in found.first.items())
        faults.add_row(m.family, m.name, m.spec, when, "-" if last is None else str(last), ", ".join(m.on), rows)
        counts.setdefault(m.family, Counter())[when] += 1
    spans = (f"within {FEW}", f"within {cases:,}", "never")
    totals = _table("Totals", "family", "faults", *spans)
    for family, count in [*counts.items(), ("all", sum(counts.values(), Counter()))]:
        totals.add_row(family, str(count.total()), *[str(count[name]) for name in spans])
    return faults, totals


def _right(cases: int, seed: int) -> Table:
    table = _table(f"Right layers, {cases:,} cases", "layer", "name", "verdict", "worst margin", "inconclusive", "style", "convicted on")
    for r in right_layers():
        found = hunt(r.spec, r.layer, seed=seed, cases=cases)
        verdict = "CONVICTED" if found.first else "left alone"
        table.add_row(r.spec, r.name, verdict, f"{found.margin:.3g}", str(found.n_inconclusive), r.style, ", ".join(found.first))
    return table


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
