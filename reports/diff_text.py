"""A diff in the terminal: what matters most first, the verdict last."""

from __future__ import annotations

from rich.console import Console
from rich.table import Column

from oracle.results.diff import MARKS, REGRESSIONS, Difference
from reports.diff_groups import Group, answer, because, groups, outcome, seen, sentence, states
from reports.printing import STYLES, Printer
from reports.words import clip, count, shorten

SHOWN = 10
"""Of every mark this many groups are told."""
LISTED = 20
"""Facts and answers that are told of each kind."""
CELL = 60
"""Characters of a fact side by side; of a longer one both ends are kept."""
GOOD = ("fixed",)


def print_diff(difference: Difference, console: Console) -> None:
    """Print what is other in AFTER than it was in BEFORE."""
    out = Printer(console)
    _print_oracle(difference, out)
    told = groups(c for c in difference.changes if c.differs)
    for mark in MARKS:
        mine = [group for group in told if group.mark == mark]
        for group in mine[:SHOWN]:
            _print_group(group, difference.replayed, out)
        if len(mine) > SHOWN:
            out.line((f"... and {count(len(mine) - SHOWN, 'more change')} of this kind: {mark}.", "dim"))
            out.line()
    _print_same(difference, out)
    _print_answers(difference, out)
    _print_sides(difference, out)
    for text in difference.incomplete:
        out.line((text, STYLES["failed"]))
    style = STYLES["failed"] if difference.regressions else "bold" if difference.incomplete else "bold blue"
    out.line((outcome(difference), style), ("  ", ""), (sentence(difference), ""))


def _print_oracle(difference: Difference, out: Printer) -> None:
    """What says that the judge is not what it was."""
    oracle = [m for m in difference.moved if m.side == "expected"]
    if oracle:
        out.line(("THE ORACLE MOVED", STYLES["failed"]), ("  torch answers otherwise to the same inputs.", ""))
    _print_some([answer(m) for m in oracle], out)
    for health in difference.blinder.unwell[:LISTED]:
        where = f"{health.layer} {health.branch} {health.quantity}"
        out.line(("THE ORACLE IS UNWELL", STYLES["failed"]), (f"  {where}: autograd disagrees with differences now.", ""))
    missed = [f"{planted.layer}: {planted.fault}" for planted in difference.blinder.survived]
    if missed:
        out.line(("Planted faults that BEFORE convicted and AFTER missed:", "bold"))
    _print_some(missed, out)
    if oracle or any(difference.blinder):
        out.line()


def _print_answers(difference: Difference, out: Printer) -> None:
    """The layers' own answers that are others."""
    own = [answer(m) for m in difference.moved if m.side == "actual"]
    _print_some(own, out)
    if own:
        out.line()


def _print_some(lines: list[str], out: Printer) -> None:
    for line in lines[:LISTED]:
        out.line((line, ""))
    if len(lines) > LISTED:
        out.line((f"... and {len(lines) - LISTED:,} more.", "dim"))


def _print_group(group: Group, replayed: bool, out: Printer) -> None:
    style = STYLES["failed"] if group.mark in REGRESSIONS else "bold blue" if group.mark in GOOD else "bold"
    where = f"  {group.where}" if group.where else ""
    out.line((f"{group.layer} {group.title}", "bold"), (f"  {group.mark}", style), (where, "dim"))
    out.line((group.lead.why, ""), indent=2)
    for text in (because(group, replayed), group.lead.replay):
        if text:
            out.line((text, "bold" if text.startswith("Cause") else ""), indent=2)
    if group.mark not in ("lost coverage", "not reached") and (became := states(group.lead)):
        out.line((became, "dim"), indent=2)
    if group.mark != "still failing":
        _print_case(group, out)
    out.line()


def _print_case(group: Group, out: Printer) -> None:
    """What the failing case shows, why, and the command that runs it again."""
    if text := seen(group):
        out.line((shorten(text, 400), ""), indent=2)
    example = group.lead.example
    if example and example.diagnosis:
        out.line((f"Diagnosis: {example.diagnosis}", ""), indent=2)
    if example and example.replay:
        out.command(example.replay, "dim", indent=2)


def _print_same(difference: Difference, out: Printer) -> None:
    same = groups(c for c in difference.changes if not c.differs)
    if not same:
        return
    names = ", ".join(f"{group.layer} {group.title}" for group in same[:SHOWN])
    more = f" and {len(same) - SHOWN:,} more" if len(same) > SHOWN else ""
    out.line(("Still failing in the same way: ", "dim"), (f"{names}{more}.", ""))
    out.line()


def _print_sides(difference: Difference, out: Printer) -> None:
    """What differs between the two runs, side by side."""
    differing = [side for side in difference.sides if side.differs and side.name not in ("started", "run id", "command")]
    if not differing:
        return
    body = [[(side.name, "dim"), (_cell(side.before), ""), (_cell(side.after), "")] for side in differing[:LISTED]]
    columns = [Column("differs", overflow="fold"), Column("BEFORE", overflow="fold"), Column("AFTER", overflow="fold")]
    out.table(columns, body)
    if len(differing) > LISTED:
        out.line((f"... and {len(differing) - LISTED:,} more.", "dim"))
    out.line()


def _cell(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= CELL else f"{clip(flat, CELL // 2)}{flat[len(flat) - CELL // 2 :]}"
