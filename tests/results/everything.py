"""A small results file with a record of every kind, what every reporter makes of a run, and whether that is well-formed."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

from rich.console import Console

from oracle.results import (
    ComparisonData,
    Expected,
    Gate,
    Health,
    Known,
    Note,
    Planted,
    Run,
    Sample,
    Seen,
    Worst,
    verdict,
)
from oracle.results.model import Record
from reports import REPORTERS, reporter
from reports.html import render_html
from reports.markdown import render_markdown
from tests.results.records import ROW, array, counterexample, depth, footer, header, result

SIX = array(bytes(48), "float64", 2, 3)
VOID = ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")


def records() -> tuple[Record, ...]:
    """A header, two records of a kind where there may be several, a footer."""
    names = ("forward.y", "backward.dx", "call.answers")
    known = Known(
        layer="Relu", branch="matrix", quantity="forward.y", reason="by design", link="https://example.org/1", expires="2031-01-31"
    )
    head = header(*names).model_copy(
        update={
            "started": "2026-01-02T03:04:05+00:00",
            "boundaries": ("nan", "size-0"),
            "n_planted": 2,
            "gate": Gate(known=(known,), floor=5, source="pyproject.toml"),
            "corpus": ("0123456789abcdef",),
            "label": "py311",
            "expected": (*header(*names).expected, Expected(**{**ROW, "dtype": "float32"}, quantity="forward.y")),
        }
    )
    found = counterexample()
    compared = ComparisonData(
        reason="value",
        message="m",
        margin=7.0,
        max_abs=1.0,
        max_ulp=3.0,
        worst_index=(1, 2),
        actual=array(bytes(8), "float64"),
        expected=array(bytes(8), "float64"),
        allowed=array(bytes(8), "float64"),
        all_actual=SIX,
        all_expected=SIX,
        all_allowed=SIX,
        n_mismatched=1,
        n_elements=6,
    )
    small = found.case.model_copy(update={"inputs": {"x": SIX}, "prior": found.case, "refusal": "r"})
    drawn = {"seed": 1, "index": 4, "protocol": "plain", "layout": "C"}
    made_small = {"minimised": small, "minimised_comparison": compared, "snippet": "x = 1", "replay": "r", "diagnosis": "d"}
    return (
        head,
        result("forward.y", status="failed", n_failed=3, margin=7.0, worst_outcome="imprecise", n_replayed=2, n_replay_failed=1),
        result(margins={"0": 3, "2^-3": 4, "inf": 1}, ulps={"0": 9, "2^4": 2}, n_elements=40, n_undetermined=2),
        result("call.answers", role="contract", margin=None, worst_case=None),
        depth(extents={"3,4": 2, "0,1": 1}, boundaries={"nan": 2}, shapes={"3x4": 2}, layouts={"C": 3}, protocols={"plain": 3}, n_shapes=2),
        Seen(**ROW, cases="AAAAAAAAAAA=", shapes=("3x4",)),
        found,
        counterexample("b", quantity="forward.y", lane="corpus", **made_small),
        Worst(**ROW, quantity="forward.y", comparison=compared, shapes={"x": (2, 3)}, profiles=("normal",), case=small, **drawn),
        Sample(**ROW, index=1, digest="d", case=small, actual={"forward.y": SIX}, expected={"forward.y": SIX}),
        Planted(layer="Relu", family="gradient", name="scaled", fault="f", n_cases=3, rows=("matrix float64 backward.dx",)),
        Planted(layer="Relu", family="gradient", name="swapped", fault="f", n_cases=30),
        Health(
            **{k: ROW[k] for k in ("layer", "branch")}, quantity="backward.dx", n_cases=6, n_elements=40, n_kinks=2, n_wrong=1, worst=3.0
        ),
        Note(layer="Relu", title="printed", text="hello\nworld"),
        footer(),
    )


def lines() -> list[bytes]:
    """The same as the lines of a file."""
    return [record.model_dump_json().encode() for record in records()]


class Tags(HTMLParser):
    """Whether elements are closed as they were opened, and which there are."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        assert not self.stack, f"left open: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not any(name.startswith("on") for name, _ in attrs), attrs
        assert all(not (value or "").strip().lower().startswith("javascript:") for _, value in attrs), attrs
        self.tags.append(tag)
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.stack and self.stack.pop() == tag, tag


def assert_rendered(run: Run, folder: Path) -> None:
    """Every reporter that takes a run renders it, and what it renders is well-formed and holds nothing that a reader would obey."""
    page = render_html(run)
    assert Tags(page).tags.count("script") == 1 and len(page) < 3_000_000
    assert set(Tags(reporter("table")(run)).tags) & {"script", "img", "style"} == set()
    for name in ("summary", "check", "grades"):
        out = io.StringIO()
        reporter(name)(run, Console(file=out, width=100, highlight=False))
        assert_visible(out.getvalue())
        assert not re.search(r"^\s*::|##\[", out.getvalue(), re.M)
    json.loads(reporter("json")(run, folder / "j.json").read_text(), parse_constant=lambda constant: 1 / 0)
    assert_visible(reporter("csv")(run, folder / "c.csv").read_text())
    assert len({len(row) for row in csv.reader(io.StringIO((folder / "c.csv").read_text()))}) == 1
    for name in ("junit", "badge"):
        written = reporter(name)(run, folder / name).read_text()
        ET.fromstring(written)
        assert_visible(written)
    for limit in (16_384, 1_048_576):
        text = render_markdown(run, limit=limit)
        assert len(text.encode()) <= limit
        assert_visible(text)
    for line in reporter("annotations")(run):
        assert line.startswith("::") and "\n" not in line
        assert_visible(line)
    assert verdict(run).exit_code in (0, 1, 3)


RUN_REPORTERS = {"html", "table", "summary", "check", "grades", "json", "csv", "junit", "badge", "markdown", "annotations"}
"""Those tried above; the others take something else than a run."""
OTHER = REPORTERS.keys() - RUN_REPORTERS


def assert_visible(text: str) -> None:
    """No character in `text` moves what is seen, hides, or steers a terminal."""
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", text)
