"""The page of a run of subjects: who they are, why they diverge, what they do not claim, and that many of them stay readable."""

from __future__ import annotations

import re
from types import ModuleType

import pytest
import subject_runs

from oracle.results import Run
from reports.html import FIRST, MANY, render_html


def words(text: str) -> str:
    """The words of a page, tags taken out."""
    return " ".join(re.sub(r"<[^>]*>", " ", text.split("</style>")[1].split("<script>")[0]).replace("&#39;", "'").split())


@pytest.fixture(scope="module")
def page(checked: Run) -> str:
    return render_html(checked)


def section(text: str, name: str) -> str:
    """The words of one layer's article."""
    return next(words("</style>" + part) for part in text.split('<article class="lay"') if f"> {name} " in words("</style>" + part)[:300])


def many(run: Run, n: int) -> Run:
    """`run` as if its first layer had been handed in `n` times more, each a conforming one."""
    info = run.header.layers[0]
    names = [f"submissions/{i:02d}/{info.name}" for i in range(n)]
    infos = tuple(info.model_copy(update={"name": name}) for name in names)
    rows = tuple(r.model_copy(update={"layer": name}) for name in names for r in run.results if r.layer == info.name)
    head = run.header.model_copy(update={"layers": (*run.header.layers, *infos)})
    return run.model_copy(update={"header": head, "results": (*run.results, *rows)})


def test_the_subjects_are_listed_with_verdict_and_cause(page: str) -> None:
    listed = words("</style>" + page[page.index('id="subjects"') : page.index('id="matrix"')])
    assert "layers.py:Relu Relu conforms 32 of 32 0.61" in listed
    assert "layers.py:Sigmoid Sigmoid conforms 28 of 28 , 4 not claimed" in listed
    assert (
        f"diverges 98 of 102 9.0e+05 × {subject_runs.WHY}" in listed
        and f"broken.py Affine not loaded 0 of 1 - {subject_runs.MESSAGE}." in listed
    )


def test_our_own_layers_are_not_listed_as_subjects(runs: dict[str, Run]) -> None:
    assert 'id="subjects"' not in render_html(runs["passing"])


def test_the_cause_comes_before_the_numbers(page: str) -> None:
    top = words(page)
    assert top.index(subject_runs.WHY) < top.index("Actual 2")
    shown = words("</style>" + page[page.index('id="divergences"') : page.index('id="layers"')])
    assert shown.index(f"Why. {subject_runs.WHY}") < shown.index("Actual 2")


def test_of_rows_that_fail_alike_the_raw_ones_are_only_listed(page: str) -> None:
    assert "shown as found" not in page and "Further counterexamples" in page
    assert page.count('<article class="divergence"') == 2


def test_rows_that_are_not_claimed_are_neither_green_nor_missing(page: str) -> None:
    sigmoid = section(page, "layers.py:Sigmoid")
    assert "layers.py:Sigmoid conforms" in sigmoid and f"Not claimed: {subject_runs.REASON}" in sigmoid
    assert re.search(r'class="t n"[^>]*><i>dx</i> <b>not claimed</b>', page) and "the subject does not promise it" in words(page)
    assert "13 hold" in words(page) and "never judged" not in words(page)


def test_a_contract_that_is_partly_claimed_holds_where_it_is(checked: Run) -> None:
    key = ("layers.py:Relu", "plain", "float32", "state.fresh")
    rows = tuple(subject_runs.result(*key, role="contract") if r.key == key else r for r in checked.results)
    head = checked.header.model_copy(
        update={"expected": tuple(e for e in checked.header.expected if (e.layer, e.branch, e.dtype, e.quantity) != key)}
    )
    relu = section(render_html(checked.model_copy(update={"header": head, "results": rows})), "layers.py:Relu")
    assert "layers.py:Relu conforms" in relu and re.search(r"holds state\.fresh", relu)


def test_a_layer_of_which_nothing_is_claimed_says_so(checked: Run) -> None:
    rows = tuple(subject_runs.result(*r.key, role=r.role) if r.layer == "layers.py:Relu" else r for r in checked.results)
    head = checked.header.model_copy(update={"expected": tuple(e for e in checked.header.expected if e.layer != "layers.py:Relu")})
    text = render_html(checked.model_copy(update={"header": head, "results": rows}))
    assert "layers.py:Relu not claimed" in section(text, "layers.py:Relu")


def test_a_layer_tells_its_convention_its_target_and_what_it_printed(page: str) -> None:
    relu = section(page, "layers.py:Relu")
    for part in ("judged as Relu against torch.relu", "called as layer: gradients in .dW, .db", "of layers.py", "printed epoch 1 epoch 2"):
        assert part in relu, part
    assert "Not claimed, so not judged: dout, nan." in relu
    assert "layers.py, not loaded Adam: needs lr, which is not defined" in words(page)


def test_a_rejected_subject_has_its_message(page: str) -> None:
    assert f"broken.py not loaded {subject_runs.MESSAGE}. Looked for in broken.py" in section(page, "broken.py")
    assert "1 of 1 broken" not in words(page)


def test_expressions_of_several_branches_are_shown_apart(make: ModuleType) -> None:
    run = make.passing()
    infos = tuple(i.model_copy(update={"torch": "F.relu(x)\nF.relu(x[0])"}) if i.name == "Relu" else i for i in run.header.layers)
    text = render_html(run.model_copy(update={"header": run.header.model_copy(update={"layers": infos})}))
    assert text.count("<code>F.relu(x)</code>") == text.count("<code>F.relu(x[0])</code>") == 2


def test_of_many_subjects_those_that_conform_are_folded_away(checked: Run) -> None:
    text = render_html(many(checked, 40))
    matrix = text[text.index('id="matrix"') : text.index('id="divergences"')]
    before, after = matrix.split("<details>")
    assert "layers.py:SoftmaxWithLoss" in before and "submissions/00" not in before and "submissions/39" in after
    assert "42 layers that conform" in words("</style>" + after)
    assert (
        len(checked.header.layers) <= MANY and "<details>" not in render_html(checked).split('id="matrix"')[1].split('id="divergences"')[0]
    )


def test_under_the_verdict_every_diverging_subject_comes_before_a_second_of_one(checked: Run) -> None:
    firsts = render_html(checked).split('class="firsts"')[1].split("</ol>")[0]
    names = re.findall(r"<li>\s*<a[^>]*><code>([^<]*)", firsts)
    assert names == ["layers.py:SoftmaxWithLoss", "broken.py", "layers.py:SoftmaxWithLoss"] and len(names) <= FIRST
