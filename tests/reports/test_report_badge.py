"""The badge: a well-formed picture with the verdict in it, also for those who cannot see it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

from oracle.results import Run, verdict
from reports.badge import COLOURS, render_badge, write_badge

SVG = "{http://www.w3.org/2000/svg}"


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def texts(run: Run) -> list[str]:
    return [element.text or "" for element in ET.fromstring(render_badge(run)).iter(f"{SVG}text")]


def test_it_says_the_verdict_and_how_many_rows(runs: dict[str, Run], make: ModuleType) -> None:
    assert texts(runs["passing"]) == ["gradconform", f"conforms {len(runs['passing'].results)} rows"]
    assert texts(runs["diverging"]) == ["gradconform", f"diverges {len(verdict(runs['diverging']).failing)} rows"]
    assert texts(make.passing().model_copy(update={"footer": None})) == ["gradconform", "incomplete"]


@pytest.mark.parametrize("name", ["passing", "diverging", "interrupted", "hostile"])
def test_it_is_a_picture_with_a_title_and_nothing_else(runs: dict[str, Run], name: str, tmp_path: Path) -> None:
    root = ET.parse(write_badge(runs[name], tmp_path / "b.svg")).getroot()
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {"svg", "title", "clipPath", "rect", "g", "text"}
    title = root.find(f"{SVG}title")
    assert root.get("role") == "img" and title is not None and title.text
    outcome = verdict(runs[name]).outcome
    assert outcome in (root.get("aria-label") or "") and title.text.startswith(f"gradconform: {outcome}")
    assert not any("\x1b" in (e.text or "") or "\u202e" in (e.text or "") for e in root.iter())
    assert int(root.get("width") or 0) < 260


def test_white_on_every_colour_can_be_read() -> None:
    for colour in (*COLOURS.values(), "#3b3b3b"):
        assert 1.05 / (luminance(colour) + 0.05) > 4.5, colour
