"""The summary in Markdown: it always fits, nothing in it is obeyed, and it says what the page says."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from subject_runs import HOSTILE

from oracle.cli import outputs
from oracle.results import Gate, Known, Planted, Run, verdict
from reports.markdown import LEAST, LIMIT, render_markdown, write_markdown
from reports.marking import block, code, inline, is_web, link
from reports.words import visible
from tests.gold_files import assert_gold

TAGS = {
    *("table", "thead", "tbody", "tr", "th", "td", "p", "h2", "h3", "ul", "li", "details", "summary"),
    *("strong", "code", "pre", "br", "sub", "a"),
}


class Read(HTMLParser):
    """What is left of Markdown on a page: its tags, where they lead, and its text."""

    def __init__(self, markdown: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.pieces: list[str] = []
        self.attributes: set[str] = set()
        self.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


ODD = (
    HOSTILE,
    "a | b \\| c",
    "`code` ``two`` <b>bold</b> &lt; &amp;",
    "*x* _y_ __z__ ~~w~~ a_b_c $x^2$ [t](http://a.b) ![i](x) <http://a.b> [r]: x",
    "@everyone #12 GH-7 owner/repo#3 www.example.org http://example.org :tada: me@example.org",
    "\\",
    "&#60;script&#62;",
    "\u202eabc\u2066",
)


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("frame", ["{}", "before {} after", "| a | b |\n|---|---|\n| {} | x |\n", "- {}\n", "**{}**"])
def test_text_is_shown_as_it_is_and_makes_nothing(text: str, frame: str) -> None:
    read = Read(frame.format(inline(text, 4000)))
    assert visible(" ".join(text.split())) in read.text
    assert read.tags <= {"p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "strong"}
    if frame.startswith("|"):
        assert read.text.split()[-1] == "x", "no cell was added"


@given(st.text(max_size=80))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    for written, around in ((inline(text), "p"), (code(text), "code")):
        read = Read(f"x {written} y")
        assert read.text.strip() == " ".join(f"x {visible(' '.join(text.split()))} y".split("\n"))
        assert read.tags <= {"p", around}
    read = Read(block(f"x{text}y", 4000))
    assert read.text.strip() == visible(f"x{text}y".strip(), lines=True) and read.tags == {"pre", "code"}


def test_nobody_is_notified_and_nothing_becomes_a_link() -> None:
    # a forge looks at the text between tags and comments: no name, number or address may be whole there
    for text in ODD:
        pieces = re.split(r"<!--.*?-->", inline(text, 4000))
        for piece in pieces:
            assert not re.search(r"@\w|#\d|://|(?i:www\.\w|gh-\d)|:\w+:", html.unescape(piece)), piece


@pytest.mark.parametrize(
    ("url", "leads"),
    [
        ("https://example.org/a?b=c&d=%20#e", True),
        ("javascript:alert(1)", False),
        ("https://a.b/<script>", False),
        ("https://a.b/\" onclick=x", False),
        ("http://a b", False),
        ("https://" + "a" * 3000, False),
        ("", False),
    ],
)  # fmt: skip
def test_only_a_web_address_becomes_a_link(url: str, leads: bool) -> None:
    assert is_web(url) is leads
    read = Read(link("there", url))
    assert read.addresses == ([url] if leads else []) and "there" in read.text
    assert read.attributes <= {"href"}


@pytest.mark.parametrize("name", ["passing", "diverging", "interrupted", "hostile"])
@pytest.mark.parametrize("limit", [LEAST, 65_536, LIMIT])
def test_it_fits_and_says_the_verdict_first(runs: dict[str, Run], name: str, limit: int) -> None:
    text = render_markdown(runs[name], limit=limit, address="https://example.org/run")
    assert len(text.encode()) <= limit
    read = Read(text)
    said = verdict(runs[name])
    assert read.text.startswith(f"gradconform: {said.outcome}")
    assert visible(said.sentence)[:200] in read.text
    assert read.tags <= TAGS and read.addresses == ["https://example.org/run"]
    assert read.attributes <= {"href", "open", "style"}


def test_it_fits_whatever_the_run(make: ModuleType) -> None:
    from subject_runs import poisoned

    run = make.passing()
    infos = tuple(run.header.layers[0].model_copy(update={"name": f"{at:03}" + "@\u202e|<\U0001d538" * 30}) for at in range(400))
    rows = tuple(
        r.model_copy(update={"layer": info.name, "status": "failed", "n_failed": 1, "message": "\U0001d538" * 3000})
        for info in infos
        for r in run.results[:8]
    )
    many = run.model_copy(update={"header": run.header.model_copy(update={"layers": infos, "expected": ()}), "results": rows})
    for limit in (LEAST, 65_536, LIMIT):
        text = render_markdown(many, limit=limit)
        assert LEAST // 2 < len(text.encode()) <= limit
        assert "Left out here:" in text and "layers" in text.rpartition("Left out here:")[2]
        assert "gradconform: diverges" in text
    assert len(render_markdown(poisoned(make.diverging()), limit=LEAST).encode()) <= LEAST


def test_what_is_left_out_is_counted_right(make: ModuleType) -> None:
    run = make.passing()
    examples = [
        make.example(layer, branch, "float64", quantity, snippet="x" * 3000)
        for layer, (_, branches, quantities) in make.LAYERS.items()
        for branch in branches
        for quantity in quantities
    ]
    text = render_markdown(make.with_failures(run, *examples), limit=LEAST)
    total = int(re.search(r"### (\d+) divergences", text)[1])  # type: ignore[index]
    told = len(re.findall(r"^\*\*\d+\. ", text, re.M))
    left = int(re.search(r"(\d+) divergences?[,.]", text.rpartition("Left out here:")[2])[1])  # type: ignore[index]
    assert 0 < told < total == told + left


def test_a_divergence_has_cause_numbers_case_and_replay(runs: dict[str, Run]) -> None:
    text = Read(render_markdown(runs["diverging"])).text
    first = text[text.index("1. ") : text.index("2. ")]
    assert "Why: The gradient is 4.0 times torch's" in text
    assert first.startswith("1. Relu cotangent.unchanged: contract broken in plain float32.\nbackward wrote into its cotangent")
    assert "Affine forward.y: NaN or infinity in batched float32." in text
    assert "Replay: gradconform replay results.jsonl SoftmaxWithLoss-one-hot-float64-backward.dx" in text
    assert "Also fails in one-hot float32 and 2 more rows." in text
    assert "layer = SoftmaxWithLoss()" in text


def test_missing_rows_planted_faults_and_the_gate_are_told(runs: dict[str, Run], make: ModuleType) -> None:
    assert "### 50 declared rows never judged\n\n- <code>TwoLayerNet " in render_markdown(runs["interrupted"])
    missed = Planted(layer="Relu", family="gradient", name="scaled", fault="f", n_cases=9)
    found = missed.model_copy(update={"name": "swapped", "rows": ("plain float64 backward.dx",)})
    known = Known(layer="Relu", branch="plain", quantity="gone", reason="by | design", link="https://example.org/7", expires="2031-01-31")
    head = make.passing().header.model_copy(update={"gate": Gate(known=(known,), source="pyproject.toml"), "n_planted": 2})
    read = Read(render_markdown(make.passing().model_copy(update={"header": head, "planted": (missed, found)})))
    assert "1 of 2 deliberately broken layers convicted. Unnoticed: Relu gradient: scaled." in read.text
    assert "by | design" in read.text and "2031-01-31" in read.text and "https://example.org/7" in read.addresses
    assert "there is no such row" in read.text


def test_it_is_added_to_what_is_there_and_still_fits(runs: dict[str, Run], tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    write_markdown(runs["diverging"], path, onto=True)
    assert path.read_text().startswith("before\n## gradconform: diverges")
    path.write_text("x" * (LIMIT - LEAST))
    assert len(render_markdown(runs["hostile"]).encode()) > 2 * LEAST
    write_markdown(runs["hostile"], path, onto=True)
    assert "gradconform: diverges" in path.read_text() and path.stat().st_size <= LIMIT
    path.write_text("x" * (LIMIT - LEAST + 1))
    with pytest.raises(OSError, match="no room"):
        write_markdown(runs["diverging"], path, onto=True)
    assert path.stat().st_size == LIMIT - LEAST + 1
    write_markdown(runs["diverging"], path)
    assert path.read_text().startswith("## gradconform")


def test_the_command_knows_the_same_limits() -> None:
    assert (outputs.LIMIT, outputs.LEAST) == (LIMIT, LEAST)


@pytest.mark.parametrize("name", ["passing", "diverging"])
def test_gold(runs: dict[str, Run], name: str) -> None:
    assert_gold(f"{name}.md", render_markdown(runs[name], address="https://example.org/run"))
