"""The page and the printed text of a training: what they say, that nothing in them comes alive, that they stay small."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from test_report_html import ATTRIBUTES, TAGS, Page

from oracle.results import ResultsError
from oracle.results.training import Training, TrainingDivergence, read_training, training_verdict
from reports import reporter, training_html
from reports.training_html import render_training
from reports.training_rows import LISTED
from reports.training_text import print_training
from tests.results import trainings
from tests.results.everything import Tags, assert_visible
from tests.results.trainings import FAULTS, HOSTILE, LOST, TRAININGS, block, comparison, epoch, footer, header, row


class Spaced(Page):
    """A page whose cells are words apart, as they are seen."""

    def handle_data(self, data: str) -> None:
        super().handle_data(data if self.open and self.open[-1] in self.code else f" {data}")

    @property
    def seen(self) -> str:
        """The words, with no blank before a full stop or a comma, where an element ends."""
        return re.sub(r" ([.,])", r"\1", self.words)


@pytest.fixture(scope="module")
def every() -> dict[str, Training]:
    return {name: make() for name, make in TRAININGS.items()}


@pytest.fixture(scope="module")
def pages(every: dict[str, Training]) -> dict[str, Spaced]:
    return {name: Spaced(render_training(training)) for name, training in every.items()}


def printed(training: Training, encoding: str = "utf-8", **options: Any) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    print_training(training, Console(file=file, **{"width": 100, **options}))
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("name", TRAININGS)
class TestEveryPage:
    def test_only_the_templates_make_tags_and_attributes(self, pages: dict[str, Spaced], name: str) -> None:
        assert pages[name].tags <= TAGS | {"em"} and pages[name].attributes <= ATTRIBUTES and pages[name].open == []

    def test_style_and_script_are_the_assets_and_nothing_else(self, pages: dict[str, Spaced], name: str) -> None:
        assets = Path(training_html.__file__).parent / "assets"
        style = "\n".join((assets / file).read_text("utf-8") for file in ("report.css", "training.css"))
        assert pages[name].code == {"style": style, "script": (assets / "report.js").read_text("utf-8")}
        assert pages[name].policy.startswith("default-src 'none'; ") and not re.search(r"url\(|@import|https?:", style)

    def test_every_link_leads_somewhere_on_the_page_and_no_place_is_there_twice(self, pages: dict[str, Spaced], name: str) -> None:
        page = pages[name]
        assert len(page.ids) == len(set(page.ids))
        assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)

    def test_page_and_text_say_the_verdict_in_the_words_of_the_verdict(
        self, pages: dict[str, Spaced], every: dict[str, Training], name: str
    ) -> None:
        said = training_verdict(every[name])
        last = printed(every[name]).rstrip().splitlines()[-1]
        assert last.startswith(said.outcome.upper()) and pages[name].words.index(said.outcome.capitalize()) < 300
        if "hostile" not in name:
            assert pages[name].words.index(said.sentence) < 300 and last == f"{said.outcome.upper()}  {said.sentence}"

    def test_nothing_moves_hides_or_steers(self, pages: dict[str, Spaced], every: dict[str, Training], name: str) -> None:
        assert_visible(pages[name].text)
        text = printed(every[name])
        assert_visible(text)
        assert not re.search(r"^\s*::|##\[", text, re.M) and not any("\u2500" <= c <= "\u257f" for c in text)

    def test_a_drawing_says_in_words_what_it_shows(self, every: dict[str, Training], name: str) -> None:
        html = render_training(every[name])
        drawings = re.findall(r"<svg[^>]*>", html)
        assert drawings and all('aria-hidden="true"' in tag or re.search(r'role="img" aria-label="[^"]{20,}', tag) for tag in drawings)


def test_hostile_text_is_shown_as_text(pages: dict[str, Spaced], every: dict[str, Training]) -> None:
    for name in ("hostile", "hostile blind"):
        assert "<script>alert(1)</script>" in pages[name].text and "\\x1b[31m\\u202egnp\\x00\\u2066" in pages[name].text
        assert "{{ 7*7 }}" in pages[name].text and "[bold]red[/bold]" in printed(every[name]).splitlines()[0]
    assert every["hostile"].header.settings.dtypes[0] == "float64" + HOSTILE and LOST[:40] in pages["hostile"].text


def test_what_is_wrong_comes_first(pages: dict[str, Spaced]) -> None:
    words = pages["diverging"].seen
    words = words[words.index("Diverges TwoLayerNet") :]
    told = (
        "Diverges TwoLayerNet diverges from PyTorch in 2 rows",
        "backward.db1 float64 differs in 1 of 2 steps, first at step 2",
        LOST,
        "params.unchanged float32 contract broken in 298 of 300 steps, first at step 3",
        "Not complete Of 300 steps there are 2 in float64.",
        f"Why. {LOST}",
        "worst index [3] actual 2.0 expected 0.5 difference 1.5 allowed error 3.814697265625e-06 margin 3.2e+05 ×",
        "In numbers",
        "Curves",
        "How to read this",
    )
    places = [words.index(text, words.index(told[4]) if text.startswith("Why") else 0) for text in told]
    assert places == sorted(places)
    assert "The arrays of this step are in float64-db1-2.safetensors" in words


def test_what_conforms_has_no_divergences_and_nothing_missing(pages: dict[str, Spaced]) -> None:
    page = pages["conforming"]
    assert not {"divergences", "planted"} & set(page.ids) and "Not complete" not in page.words and "diverges" not in page.words.lower()
    assert {"figures", "curves", "rows", "how", "about"} <= set(page.ids)


def test_the_figures_stand_dtype_beside_dtype(pages: dict[str, Spaced], every: dict[str, Training]) -> None:
    lines = {
        "steps": ("300", "300"),
        "last loss of its twin": ("0.1317439240851971", "0.13174392"),
        "difference of the last losses": ("5.55e-17", "3.14e-8"),
        "largest difference of the losses": ("8.88e-16 at step 2", "5.4e-7 at step 2"),
        "last test accuracy of its twin": ("86.38 %", "86.38 %"),
        "after step 1": ("0", "0"),
        "after step 100": ("1.11e-14", "5.96e-6"),
        "at the end": ("3.33e-14", "1.79e-5"),
        "the furthest shadow at the end": ("1.77e-13", "9.49e-5"),
        "injected into the shadows until then": ("1.67e-14", "8.94e-6"),
        "growth of what was injected": ("10.6 ×", "10.6 ×"),
        "its twin": ("0.30 s", "0.30 s"),
        "net / twin": ("2", "2"),
    }
    text = printed(every["conforming"])
    asked = every["conforming"].header.settings
    assert text.splitlines()[0].endswith(f"300 steps of {asked.batch} rows, learning rate {asked.lr:g}, on {asked.data}")
    for name, cells in lines.items():
        assert " ".join((name, *cells)) in pages["conforming"].words
        assert re.search(rf"^{re.escape(name)} +{re.escape(cells[0])} +{re.escape(cells[1])}$", text, re.M), name
    assert "after step 1,000" not in text and "of W1 at the end 3.33e-14 1.79e-5" in pages["conforming"].words


def test_a_figure_that_one_dtype_lacks_is_a_dash_and_one_that_all_lack_is_left_out(pages: dict[str, Spaced]) -> None:
    assert "after step 100 - 5.96e-6" in pages["diverging"].words and "the net - 0.60 s" in pages["diverging"].words
    assert "last train accuracy" not in pages["broken"].words and "growth of what was injected" not in pages["broken"].words


def test_every_row_is_there_with_its_numbers(pages: dict[str, Spaced], every: dict[str, Training]) -> None:
    assert "backward.dW1 conforms 0.39 33 300 0 2" in pages["conforming"].words
    assert "params.unchanged holds - - 300 0 0" in pages["conforming"].words
    assert "trajectory stays near 0.39 33 300 0 0" in pages["conforming"].words
    assert "backward.db1 diverges 3.2e+05 × 2 2 1 0" in pages["diverging"].words
    text = printed(every["diverging"])
    assert re.search(r"^backward.db1 +2 +1 +0 +3.2e\+05 × +2 +diverges$", text, re.M)
    assert re.search(r"^params.unchanged +300 +298 +0 +- +- +broken$", text, re.M)


def test_a_row_of_which_nothing_was_judged_does_not_look_passed() -> None:
    nothing = [row("float64", "forward.loss", 0, margin=None, worst=None), row("float64", "trajectory", 0, status="not-run")]
    unsure = row("float64", "backward.dW1", 0, n_inconclusive=4)
    text = printed(trainings.assembled(header(dtypes=("float64", "float32")), [*nothing, unsure]))
    assert re.search(r"^forward.loss .* not run$", text, re.M) and re.search(r"^trajectory .* not run$", text, re.M)
    assert re.search(r"^backward.dW1 .* inconclusive$", text, re.M) and "conforms" not in text and "stays near" not in text
    assert "float32  nothing was judged" in text and text.rstrip().splitlines()[-1].startswith("INCOMPLETE")


def test_a_tile_that_fails_leads_to_its_divergence(every: dict[str, Training]) -> None:
    html = render_training(every["diverging"])
    link = re.search(r'<th scope="row">backward.db1</th><td>\s*<a class="t f2" href="#(d\d+)">', html)
    assert link and f'<h3 id="{link[1]}"><code>backward.db1</code> float64' in html


def test_a_divergence_is_told_with_its_numbers_its_cause_and_its_file(every: dict[str, Training]) -> None:
    lines = printed(every["diverging"]).splitlines()
    at = lines.index("backward.db1 float64  differs  in 1 of 2 steps, first at step 2")
    assert lines[at + 1] == "  actual is 100 times expected"
    assert lines[at + 2] == "  margin 3.2e+05 ×; largest difference 1.5; elements that differ 2 of 4"
    assert lines[at + 3 : at + 5] == [f"  Likely cause: {LOST}", "  arrays: float64-db1-2.safetensors"]
    assert lines.index("params.unchanged float32  contract broken  in 298 of 300 steps, first at step 3") > at
    assert "\n".join(lines).count("Likely cause") == 1


def test_a_trajectory_that_leaves_its_shadow_is_told_without_arrays(pages: dict[str, Spaced], every: dict[str, Training]) -> None:
    told = "trajectory float64 leaves its twin in 96 of 300 steps, first at step 205 further than is allowed"
    assert told in pages["wandering"].words
    assert "trajectory float64  leaves its twin  in 96 of 300 steps, first at step 205" in printed(every["wandering"])


def test_what_is_seen_in_the_steps_is_told_before_where_they_lead() -> None:
    far = row("float64", "trajectory", status="failed", n_failed=300, first_failed=1)
    late, early = (row("float64", q, status="failed", n_failed=1, first_failed=at) for q, at in (("backward.dW1", 9), ("call.answers", 4)))
    text = printed(trainings.assembled(header(), [far, late, early]))
    places = [text.index(f"{q} float64  ") for q in ("call.answers", "backward.dW1", "trajectory")]
    assert places == sorted(places)


def test_a_failing_row_with_nothing_kept_is_still_a_divergence() -> None:
    lines = [row("float64", "backward.db1", 9, status="failed", n_failed=2, margin=7.0), footer()]
    text = printed(trainings.assembled(header(), lines))
    assert "backward.db1 float64  imprecise  in 2 of 9 steps\n  Nothing was kept of the step.\n  margin 7 ×\n" in text


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("nan", "NaN or infinity"),
        ("shape", "wrong shape"),
        ("dtype", "wrong dtype"),
        ("error", "raised an error"),
        ("died", "process died"),
    ],
)
def test_what_kind_of_divergence_it_is(reason: str, words: str) -> None:
    wrong = row("float64", "backward.db1", status="failed", n_failed=1)
    found = TrainingDivergence(dtype="float64", quantity="backward.db1", step=4, comparison=comparison(reason))
    assert f"backward.db1 float64  {words}  in 1 of 300 steps, first at step 4" in printed(trainings.assembled(header(), [wrong, found]))


def test_planted_faults_are_told_survivors_first(pages: dict[str, Spaced], every: dict[str, Training]) -> None:
    words = pages["blind"].words
    assert "1 of 2 deliberately broken nets convicted." in words and "1 fault survived: this training is blind to it." in words
    convicted = f"{FAULTS['accumulated']} accumulated convicted at step 3 by backward.W1 and 1 more"
    survived = f"{FAULTS['stale']} stale survived 3 steps"
    assert words.index(survived) < words.index(convicted)
    assert f"unnoticed: stale, {FAULTS['stale']}" in printed(every["blind"])
    both = every["blind"].planted[:1] * 2
    held = every["blind"].model_copy(update={"planted": both})
    assert "All 2 deliberately broken nets convicted." in printed(held) and "unnoticed" not in printed(held)
    none = every["blind"].model_copy(update={"planted": ()})
    assert "None of 2 deliberately broken nets was tried." in printed(none)
    assert "1 of 2 deliberately broken nets convicted; 1 never tried." in printed(none.model_copy(update={"planted": both[:1]}))


def test_the_origin_is_told(pages: dict[str, Spaced]) -> None:
    words = pages["conforming"].words
    for text in (
        "gradconform train --steps 300 --seed 7",
        "MNIST, 28 x 28 pixels",
        "60,000 samples, 10,000",
        "300, each of a batch of 100",
        "learning rate 0.1",
        "W1 784 × 50, b1 50, W2 50 × 10, b2 10",
        "F.cross_entropy(F.linear(h, W2.T, b2), t)",
        "float32, after step 300 float32.safetensors, SHA-256 0123456789abcdef…",
        "0123456789abcdef, with uncommitted changes",
        "3 min 10 s",
    ):
        assert text in words, text
    assert "finished never: cut off" in Spaced(render_training(trainings.assembled(header(), trainings.body("float64")))).words


def test_ten_thousand_steps_of_two_dtypes_stay_small() -> None:
    training = trainings.conforming(10_000)
    html = render_training(training)
    assert len(html.encode()) < 150_000 and html.count('class="chart"') == 6
    assert "after step 10,000 1.11e-12 5.96e-4" in Spaced(html).words


def test_many_of_everything_are_counted_and_the_page_stays_small() -> None:
    rows = [row("float64", f"q{at}", status="failed" if at == 900 else "passed", n_failed=int(at == 900)) for at in range(1000)]
    wrong = [TrainingDivergence(dtype="float64", quantity=f"d{at}", step=at + 1, comparison=comparison()) for at in range(300)]
    columns = {f"p{at}" * 40: [0.5] for at in range(900)}
    steps = block("float64", 1, 1, distances=columns, margins=columns)
    epochs = [epoch("float64", at, at) for at in range(5000)]
    asked = header(dtypes=("float64", *(f"type{at}" for at in range(900))))
    training = trainings.assembled(asked, [*rows, *wrong, steps, *epochs])
    html = render_training(training)
    page = Spaced(html)
    assert len(html.encode()) < 450_000 and html.count("<article") == training_html.FULL
    assert f"… and {1000 - LISTED} more in the results file." in page.words
    assert '<th scope="row">q900</th>' in html and '<th scope="row">q901</th>' not in html, "what fails is among those listed"
    assert all(link[1:] in page.ids for link in page.links)
    text = printed(training)
    assert len(text) < 30_000 and "... and 291 more divergences." in text and "... and 970 more rows." in text


def test_a_gigantic_text_does_not_fill_the_page() -> None:
    found = TrainingDivergence(
        dtype="float64", quantity="q", step=1, comparison=comparison(message="m" * 20_000), diagnosis="d" * 20_000, file="f" * 200
    )
    training = trainings.assembled(header(command="c" * 20_000), [found])
    assert len(render_training(training)) < 150_000 and len(printed(training)) < 8_000


def test_a_colour_terminal_gets_colour_a_dumb_one_none_and_an_ascii_one_ascii(every: dict[str, Training]) -> None:
    assert "\x1b[" in printed(every["diverging"], force_terminal=True, color_system="256", _environ={"TERM": "xterm"})
    assert "\x1b[" not in printed(every["diverging"], force_terminal=True, _environ={"TERM": "dumb"})
    assert "3.2e+05 x" in printed(every["diverging"], encoding="ascii")


def test_the_page_appears_whole(every: dict[str, Training], tmp_path: Path) -> None:
    path = reporter("training-page")(every["diverging"], tmp_path / "new" / "training.html")
    assert path.read_text("utf-8") == render_training(every["diverging"])
    assert [p.name for p in path.parent.iterdir()] == ["training.html"] and reporter("training") is print_training


def small() -> list[dict[str, Any]]:
    """The lines of a training with a record of every kind."""
    fails = trainings.diverging()
    checkpoint, planted = trainings.conforming(1).checkpoints[:1], trainings.blind().planted
    steps = block("float64", 1, 3)
    lines = [
        header(3, n_planted=2),
        steps,
        *fails.rows,
        *fails.divergences,
        *fails.epochs[:2],
        *fails.timings,
        *checkpoint,
        *planted,
        footer(),
    ]
    return [json.loads(line.model_dump_json()) for line in lines]


LINES = small()
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 3, 2**31, 2**63 - 1, 10**400, 0.5, -1e300, 1e308, 5e-324),
    *("", "x", "NaN", "Infinity", "-Infinity", HOSTILE, "javascript:alert(1)", "x" * 200_000),
    *([], {}, [1.5], [[2]], {HOSTILE: [1.0]}, ["NaN"] * 3, [1e308, -1e308, 0.0], ["float64", "float64"], [2**40, 2**40]),
)


def places(value: Any, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a JSON value, but not every number of a column."""
    yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*here, key))


PLACES = [place for place in places(dict(enumerate(LINES))) if place]


def rendered(lines: list[Any], folder: Path) -> Training | None:
    """The training that a file of `lines` gives, rendered; None where it is refused in words."""
    path = folder / "training.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    try:
        training = read_training(path)
    except ResultsError as error:
        assert str(path) in str(error)
        return None
    html = render_training(training)
    assert Tags(html).tags.count("script") == 1 and len(html) < 1_000_000
    assert_visible(Spaced(html).text)
    text = printed(training)
    assert_visible(text)
    assert not re.search(r"^\s*::|##\[", text, re.M) and training_verdict(training).exit_code in (0, 1, 3)
    return training


@settings(max_examples=80, deadline=None)
@given(place=st.sampled_from(PLACES), value=st.sampled_from(ODD))
def test_any_value_may_be_anything(place: tuple[str | int, ...], value: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    lines = json.loads(json.dumps(LINES))
    target: Any = lines
    *most, last = place
    for key in most:
        target = target[key]
    target[last] = value
    rendered(lines, tmp_path_factory.mktemp("odd"))


def test_the_file_that_is_spoiled_is_sound(tmp_path: Path) -> None:
    training = rendered(LINES, tmp_path)
    assert training is not None and training.n_damaged == 0 and len(PLACES) > 300
    kinds = {line["kind"] for line in LINES}
    assert kinds == {"training", "steps", "row", "divergence", "epoch", "timing", "checkpoint", "planted", "footer"}


@settings(max_examples=30, deadline=None)
@given(order=st.lists(st.sampled_from(range(1, len(LINES))), max_size=40))
def test_lines_may_be_missing_or_there_twice_in_any_order(order: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    assert rendered([LINES[0], *(LINES[at] for at in order)], tmp_path_factory.mktemp("order")) is not None
