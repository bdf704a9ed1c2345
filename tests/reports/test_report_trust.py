"""Heat maps, what the gate lists, planted faults and oracle health: what the page says of them."""

from __future__ import annotations

import re
from types import ModuleType

import full_runs
import pytest

from oracle.results import Run
from reports.heatmap import difference, heat, tone
from reports.html import render_html
from reports.known import gate_view, web_address
from reports.rows import Rows
from reports.trust import health_view, planted_view


def words(text: str, name: str) -> str:
    """The words of one section of a page."""
    part = text[text.index(f'<section id="{name}"') :]
    return " ".join(re.sub(r"<[^>]*>", " ", part[: part.index("</section>")]).split())


@pytest.fixture(scope="module")
def page(full: Run) -> str:
    return render_html(full)


def test_a_heat_map_tells_apart_equal_near_beyond_undetermined_and_nan(make: ModuleType) -> None:
    found = heat(full_runs.heat(make), "forward.y")
    assert found and found.tones == [["m0", "m3", "f2"], ["n", "f2", "m0"]] and (found.n_over, found.n_shown) == (2, 6)
    actual, expected, off = found.tables
    assert actual.rows[1] == ("[1]", ["3.0", "nan", "-0.0"]) and expected.rows[1] == ("[1]", ["9.0", "1.0", "0.0"])
    assert off.rows == [("[0]", ["0", "-0.25", "1.5"]), ("[1]", ["-6", "nan", "0"])]


def test_a_heat_map_of_different_shapes_has_no_difference(make: ModuleType) -> None:
    other = make.comparison(all_actual=make.array([1.0], (1,)), all_expected=make.array([1.0, 2.0], (2,)))
    found = heat(other, "forward.y")
    assert found and [t.role for t in found.tables] == ["actual", "expected"] and found.tones == []
    assert heat(make.comparison(), "forward.y") is None


def test_a_large_heat_map_is_cut_like_any_table(make: ModuleType) -> None:
    many = make.array([1.0] * 300, (100, 3))
    found = heat(make.comparison(all_actual=many, all_expected=many, all_allowed=many), "y")
    assert found and all(len(t.rows) == 4 and t.more == 288 for t in found.tables) and found.n_shown == 12


def test_without_an_allowed_error_only_equal_is_right(make: ModuleType) -> None:
    both = {"all_actual": make.array([1, 2], (2,), "int64"), "all_expected": make.array([1, 3], (2,), "int64"), "worst_index": (1,)}
    assert heat(make.comparison(**both), "y").tones == [["m0", "f2"]]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("share", "expected"), [(None, "n"), (0.0, "m0"), (0.25, "m1"), (0.5, "m2"), (1.0, "m3"), (1.01, "f1"), (16.0, "f1"), (16.1, "f2")]
)
def test_tones_are_those_of_the_matrix(share: float | None, expected: str) -> None:
    assert tone(share) == expected


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), 0.0])
def test_the_same_on_both_sides_is_no_difference(value: float) -> None:
    assert difference(value, value) == 0.0


def test_a_surviving_fault_is_told_first_and_loudly(page: str, full: Run) -> None:
    told = words(page, "planted")
    assert (
        told.index("3 of 4 deliberately broken layers convicted")
        < told.index("this run is blind to it")
        < told.index("convicted by family")
    )
    assert full_runs.SURVIVOR in told and "not noticed in 2,000 cases" in told
    view = planted_view(full)
    assert view and [(family, share.text) for family, share, _ in view.families] == [("gradient", "2 of 2"), ("state", "1 of 2")]
    assert [share and share.text for share in view.families[1][2]] == ["1 of 1", "0 of 1"]


def test_faults_that_were_never_tried_are_not_convicted(full: Run) -> None:
    convicted = tuple(p for p in full.planted if p.convicted)
    few = planted_view(full.model_copy(update={"planted": convicted}))
    assert few and few.sentence == "3 of 4 deliberately broken layers convicted; 1 never tried."
    none = planted_view(full.model_copy(update={"planted": ()}))
    assert none and none.sentence == "None of 4 planted faults was tried."
    head = full.header.model_copy(update={"n_planted": 3})
    whole = planted_view(full.model_copy(update={"planted": convicted, "header": head}))
    assert whole and whole.sentence == "All 3 deliberately broken layers convicted." and whole.survivors == []


def test_an_oracle_that_contradicts_itself_is_told(page: str, full: Run) -> None:
    told = words(page, "health")
    assert "torch.autograd disagrees in 2 elements of 1,265 elements compared" in told
    assert "The oracle contradicts itself" in told and "dW[0, 1]: 3 against 4" in told
    well = health_view(full.model_copy(update={"health": full.health[:1]}))
    assert well and well.sentence == "torch.autograd agrees in all of 365 elements compared, of 20 float64 cases." and well.wrong == []


def test_an_older_file_shows_nothing_of_what_it_lacks(runs: dict[str, Run]) -> None:
    text = render_html(runs["diverging"])
    for name in ("planted", "health", "known"):
        assert f'id="{name}"' not in text and f'href="#{name}"' not in text
    assert '<svg class="plot"' not in text and "Never hit" not in text and "Worst case" not in text


def test_the_list_says_what_has_become_of_each_entry(page: str, full: Run) -> None:
    view = gate_view(full, Rows(full))
    assert view and [k.word for k in view.entries] == ["still diverges", "conforms: remove it", "matches nothing"]
    assert "Every layer, branch and dtype needs 500 cases." in words(page, "known")
    assert full.header.gate
    known = tuple(entry.model_copy(update={"expires": "2031-01-31"}) for entry in full.header.gate.known)
    gate = full.header.gate.model_copy(update={"known": known})
    head = full.header.model_copy(update={"started": "2031-02-01T00:00:00Z", "gate": gate})
    late = full.model_copy(update={"header": head})
    expired = gate_view(late, Rows(late))
    assert expired and [k.word for k in expired.entries] == ["expired", "conforms: remove it", "matches nothing"]


def test_a_known_divergence_has_its_reason_where_it_is_shown(page: str) -> None:
    article = next(part for part in page.split('<article class="divergence') if part.startswith(" listed"))
    assert "Two roundings by design." in article and f'<a href="{full_runs.LINK}" rel="noreferrer">' in article
    assert "Accepted until 2031-01-31." in article and 'href="javascript:' not in page and "javascript:alert(1)" in page


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "//host/x", "http://", "https://[", " https://a.b", "https://a.b/\u202e", ""]
)
def test_only_web_addresses_become_links(link: str) -> None:
    assert web_address(link) == "" and web_address("https://a.b/c?d#e") and web_address("HTTP://a.b")


def test_two_lanes_are_told_apart(page: str) -> None:
    told = words(page, "divergences")
    assert "1 stored case replayed: 1 row fails on it. The fresh search with seed 7 newly found 5 failing rows." in told
    assert "NaN or infinity stored case" in told and "differs newly found" in told


def test_what_no_case_touched_is_named(page: str) -> None:
    assert page.count("Never hit: empty, one-sample, subnormal.") == 0
    relu = page.split('aria-labelledby="layer-Relu"')[1].split("</article>")[0]
    assert "Never hit: subnormal." in relu and page.count("Never hit") == 1


def test_a_quantity_that_is_always_equal_needs_no_plot(full: Run) -> None:
    equal = {"margins": {"0": 7}, "ulps": {"0": 90}}
    rows = tuple(r.model_copy(update=equal) if r.layer == "Relu" and r.quantity == "forward.y" else r for r in full.results)
    relu = render_html(full.model_copy(update={"results": rows})).split('aria-labelledby="layer-Relu"')[1].split("</article>")[0]
    assert "Bitwise equal to torch in every one of 14 measured cases." in relu and relu.count('<svg class="plot" width="330"') == 2


def test_the_worst_case_is_told_with_its_numbers_and_how_it_was_handed_over(page: str) -> None:
    relu = page.split('aria-labelledby="layer-Relu"')[1].split("</article>")[0]
    told = " ".join(re.sub(r"<[^>]*>", " ", relu).split())
    assert "Worst case margin 0.61 in plain float32, case 1,234 of seed 7" in told
    assert "shapes x 3 × 4; t scalar protocol used-before layout strided profiles ties, cancelling" in told


def test_an_entry_of_one_dtype_says_nothing_of_the_other(full: Run) -> None:
    rows = tuple(r.model_copy(update={"status": "passed"}) if r.status == "known" else r for r in full.results)
    other = tuple(r.model_copy(update={"status": "failed"}) if r.key == ("Sigmoid", "plain", "float64", "forward.y") else r for r in rows)
    run = full.model_copy(update={"results": other})
    assert gate_view(run, Rows(run)).entries[0].word == "not judged to the end"  # type: ignore[union-attr]


def test_every_row_has_an_anchor_that_stays(page: str, full: Run) -> None:
    anchors = re.findall(r'id="(row/[^"]*)"', page)
    assert len(anchors) == len(set(anchors)) == len(full.header.expected)
    assert "row/SoftmaxWithLoss/one-hot/float64/cotangent.unchanged" in anchors
    assert 'href="#row/Sigmoid/plain/float64/backward.dx"' in page


def test_what_is_listed_in_vain_is_called_stale_in_the_matrix(page: str) -> None:
    assert '<i>dx</i> <b>stale</b><span class="v"> listed as known, yet conforms</span>' in page
