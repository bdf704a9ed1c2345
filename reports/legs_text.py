"""Several legs in the terminal: a row for each, what differs between them, and what they say together."""

from __future__ import annotations

from rich.console import Console
from rich.table import Column

from oracle.results.across import SIDES, Across, Apart, Side, across
from oracle.results.legs import Leg, Legs
from reports.findings import account, headline
from reports.legs_rows import LegFinding, leg_findings, leg_rows, rows_of
from reports.printing import OUTCOMES, STYLES, Part, Printer
from reports.rows import Rows
from reports.words import count, margin_order, margin_text

SHOWN = 10
"""This many divergences are told; the page has the rest."""
LINES = 20
"""This many problems are told."""
SIDE_NAMES: dict[Side, str] = {"actual": "the layers' answers", "expected": "torch's answers"}


def print_legs(legs: Legs, console: Console) -> None:
    """Print what `legs` say: a row for each, what is missing, the divergences, how far answers to the same input are apart, the verdict."""
    out = Printer(console)
    every = rows_of(legs.legs)
    _print_table(legs, every, out)
    _print_list("Not complete:", legs.problems, out)
    _print_list("The legs differ in more than versions:", legs.notices, out)
    found = leg_findings(legs, every)
    for finding in found[:SHOWN]:
        _print_finding(finding, legs, out)
    if len(found) > SHOWN:
        out.line((f"... and {count(len(found) - SHOWN, 'more divergence')}.", "dim"))
        out.line()
    _print_margins(every, out)
    _print_across(legs, across(legs.legs), out)
    out.line((legs.outcome.upper(), OUTCOMES.get(legs.outcome, "bold")), ("  ", ""), (legs.sentence, ""))


def _print_table(legs: Legs, every: list[Rows], out: Printer) -> None:
    titles = ("leg", "Python", "NumPy", "torch", "cases", "rows", "margin", "worst in", "")
    columns = [Column(t, justify="right" if t in ("cases", "rows") else "left", overflow="fold") for t in titles]
    out.table(columns, [_leg(leg, rows) for leg, rows in zip(legs.legs, every, strict=True)])
    out.line()


def _leg(leg: Leg, rows: Rows) -> list[Part]:
    where = leg.run.header.environment
    worst = max((r for r in rows.all if r.margin is not None), key=lambda r: margin_order(r.margin), default=None)
    plain = [
        leg.label,
        where.python,
        where.numpy,
        where.torch or "-",
        f"{sum(d.n_cases for d in leg.run.depths):,}",
        f"{sum(1 for r in leg.run.results if r.n_judged):,}",
        margin_text(worst.margin) if worst else "-",
        f"{worst.layer} {worst.quantity}" if worst else "-",
    ]
    state = {"conforms": "passed", "diverges": "failed"}.get(leg.verdict.outcome, "")
    return [*[(text, "") for text in plain], (leg.verdict.outcome, STYLES.get(state, ""))]


def _print_list(title: str, entries: tuple[str, ...], out: Printer) -> None:
    if not entries:
        return
    out.line((title, "bold"))
    for entry in entries[:LINES]:
        out.line((entry, ""), indent=2)
    if len(entries) > LINES:
        out.line((f"... and {len(entries) - LINES} more.", "dim"), indent=2)
    out.line()


def _print_finding(finding: LegFinding, legs: Legs, out: Printer) -> None:
    row = finding.first.row
    out.line((f"{row.layer} {row.quantity}", "bold"), (f"  {headline(row)}", STYLES["failed"]), (f"  {where_text(finding, legs)}", ""))
    out.line((f"{account(row)} ", ""), (f"({finding.first_label}, {row.branch}, {row.dtype})", "dim"), indent=2)
    if row.example and row.example.diagnosis:
        out.line(("Likely cause: " + row.example.diagnosis, ""), indent=2)
    out.line()


def where_text(finding: LegFinding, legs: Legs) -> str:
    """On which legs something fails, and on which it holds."""
    if len(finding.by_label) == len(legs.legs):
        return "on every leg" if len(legs.legs) > 1 else f"on {next(iter(finding.by_label))}"
    told = [f"on {', '.join(finding.by_label)}"]
    for words, labels in (("holds on", finding.holds), ("fails otherwise on", finding.otherwise), ("not judged on", finding.rest)):
        if labels:
            told.append(f"{words} {', '.join(labels)}")
    return "; ".join(told)


def _print_margins(every: list[Rows], out: Printer) -> None:
    moved = sum(row.differs == "margin" for rows in leg_rows(every).values() for row in rows)
    if moved:
        out.line((f"{count(moved, 'row has', 'rows have')} the same verdict on every leg with other margins; the page marks them.", ""))
        out.line()


def _print_across(legs: Legs, found: Across, out: Printer) -> None:
    """How far the answers of every other leg to the same input are from those of the first."""
    if len(legs.legs) < 2:
        return
    if found.other:
        out.line((other_text(found), ""))
    if found.same:
        out.line((f"On the same inputs, {against_text(found)}:", "bold"))
        columns = [Column(t, overflow="fold") for t in ("leg", "samples", *SIDE_NAMES.values())]
        body = [
            [(leg.label, ""), (f"{found.n_samples[leg.label]:,}", ""), *[(apart_text(found.total(leg.label, s)), "") for s in SIDES]]
            for leg in legs.legs[1:]
        ]
        out.table(columns, body, indent=2)
    if found.other or found.same:
        out.line()


def against_text(found: Across) -> str:
    """What answers to the same input are compared with."""
    firsts = found.firsts
    return f"against {firsts[0]}" if len(firsts) == 1 else f"against the first leg that was given them, {' or '.join(firsts)}"


def apart_text(apart: Apart) -> str:
    """How far answers are apart, in words: ``3 of 600 numbers differ, up to 2 ULP``."""
    if not apart.n_elements:
        return "nothing to compare"
    if not apart.n_differ:
        return f"the same in all {apart.n_elements:,} numbers"
    far = "some beyond all ULP: NaN, infinity or another shape on one side"
    if apart.max_ulp is not None:
        far = f"up to {ulp_text(apart.max_ulp)}"
    return f"{apart.n_differ:,} of {apart.n_elements:,} numbers differ, {far}"


def ulp_text(n: int) -> str:
    """A distance in ULP: ``3 ULP``, ``7.5e+15 ULP``."""
    return f"{n:,} ULP" if n < 10_000_000 else f"{n:.1e} ULP"


def other_text(found: Across) -> str:
    """That the legs were given different inputs under the same numbers, so that those cannot be compared."""
    n = len(found.other)
    return (
        f"The inputs differ in {count(n, 'sampled case')}: under the same number the legs were given other ones (another seed, or a NumPy "
        "that draws or rounds otherwise), so the answers to them are not compared."
    )
