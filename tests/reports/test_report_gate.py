"""What the terminal summary says of a gate: every entry with what became of it, both lanes, nothing that a terminal would obey."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from oracle.results import Gate, Known, Result, Run, assembled
from reports.summary import print_summary
from tests.results.records import depth, footer, header, result

DAY = "2026-03-01T08:00:00+00:00"


def entry(**changes: str) -> Known:
    return Known(**{"layer": "Relu", "branch": "matrix", "quantity": "backward.dx", "reason": "ties", **changes})


def read(*rows: Result, known: tuple[Known, ...] = (), **changes: Any) -> Run:
    head = header(*dict.fromkeys(r.quantity for r in rows)).model_copy(update={"gate": Gate(known=known), "started": DAY, **changes})
    return assembled(head, [*rows, depth(), footer()])


def printed(run: Run, width: int = 200, **options: Any) -> str:
    file = io.StringIO()
    print_summary(run, Console(file=file, width=width, **options))
    return file.getvalue()


def fails(quantity: str = "backward.dx", **changes: Any) -> Result:
    return result(quantity, **{"status": "failed", "n_failed": 1, **changes})


def test_every_entry_is_told_with_its_reason_its_link_and_what_became_of_it() -> None:
    known = (
        entry(link="https://example.org/7", expires="2026-03-01"),
        entry(quantity="forward.y", reason="mended long ago"),
        entry(layer="Rellu"),
    )
    lines = [line.rstrip() for line in printed(read(fails(), result("forward.y"), known=known)).splitlines()]
    assert "known  Relu matrix backward.dx   still diverges, listed until 2026-03-01" in lines
    assert "       ties  https://example.org/7" in lines and "       mended long ago" in lines
    assert "known  Relu matrix forward.y     conforms: remove it" in lines
    assert "known  Rellu matrix backward.dx  matches nothing" in lines
    assert "No stored cases; searched with seed 1." in lines


def test_what_is_newly_found_is_named_up_to_ten_rows() -> None:
    rows = [fails(f"forward.y{i:02}") for i in range(12)]
    text = printed(read(*rows, fails("forward.z", n_replayed=1, n_replay_failed=1), corpus=("d1", "d2")))
    assert text.count("newly found  Relu forward.y") == 10 and "... and 2 more newly found rows." in text
    assert "newly found  Relu forward.z" not in text
    assert "2 stored cases replayed" in text and "with seed 1 newly found 12 failing rows." in text


def test_a_row_listed_in_vain_is_never_said_to_fail() -> None:
    rows = [result("forward.y", branch=branch) for branch in ("matrix", "other")]
    text = printed(read(*rows, known=tuple(entry(quantity="forward.y", branch=branch) for branch in ("matrix", "other"))))
    assert "No case of it fails any more: remove it from the list." in text and "Nor in other float64." in text and "fails in" not in text


def test_stored_cases_are_told_with_the_rows_that_fail_on_them() -> None:
    rows = [fails(name, n_replayed=2, n_replay_failed=1) for name in ("forward.y", "forward.z")]
    assert "2 stored cases replayed: 2 rows fail on them." in printed(read(*rows, corpus=("d1", "d2")))
    assert "1 stored case replayed: no row fails on it." in printed(read(fails(), corpus=("d1",)))


def test_a_run_without_a_gate_says_nothing_of_one() -> None:
    text = printed(assembled(header(), [fails(), depth(), footer()]))
    assert "known" not in text and "seed" not in text


def test_what_a_file_says_is_never_obeyed_by_the_terminal() -> None:
    evil = "\x1b[2J\u202e[bold]" + "x" * 5000
    known = (entry(reason=evil, link="https://example.org/\x1b[31m"), entry(branch="\x1b[31mb\u202e"))
    for options in ({}, {"force_terminal": True, "color_system": None, "width": 80}):
        text = printed(read(fails(), known=known), **{"width": 200, **options})
        assert "\x1b[2J" not in text and "\x1b[31m" not in text and "\u202e" not in text
        assert "\\x1b[2J\\u202e[bold]" in text and max(map(len, text.splitlines())) < 1200
