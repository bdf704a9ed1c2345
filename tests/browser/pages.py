"""Every kind of page, made anew from synthetic runs, so that each has to pass the same checks in a browser.

To have a page checked, add a function here that writes it to a folder and returns its path.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from oracle.results import Run
from oracle.results.diff import diff
from oracle.results.legs import legs_of
from reports.diff_html import write_diff_html
from reports.gradcheck_html import write_gradcheck
from reports.html import write_html
from reports.legs_html import write_legs
from reports.training_html import write_training
from tests.reports import conftest as synthetic
from tests.reports import diff_runs, full_runs, gradchecks, legs_runs, subject_runs
from tests.results import trainings


def report(run: Callable[[], Run], name: str) -> Callable[[Path], Path]:
    """A function that writes the conformance report on what `run` gives."""
    return lambda folder: write_html(run(), folder / f"{name}.html")


def changes(folder: Path, hostile: bool) -> Path:
    """The page on two runs that differ in every way."""
    pair = diff_runs.mixed(synthetic)
    before, after = map(subject_runs.poisoned, pair) if hostile else pair
    return write_diff_html(diff(before, after), folder / f"diff-{hostile}.html")


def hostile_legs(folder: Path) -> Path:
    """The page on several versions, with the worst text there is in every field."""
    sources = [source._replace(run=subject_runs.poisoned(source.run)) for source in legs_runs.sources(synthetic)]
    return write_legs(legs_of(sources, ["py313"]), folder / "hostile-legs.html")


PAGES: dict[str, Callable[[Path], Path]] = {
    "passing": report(synthetic.passing, "passing"),
    "full": report(lambda: full_runs.full(synthetic), "full"),
    "interrupted": report(synthetic.interrupted, "interrupted"),
    "subjects": report(lambda: subject_runs.checked(synthetic), "subjects"),
    "hostile": report(lambda: subject_runs.poisoned(full_runs.full(synthetic)), "hostile"),
    "diff": lambda folder: changes(folder, hostile=False),
    "hostile diff": lambda folder: changes(folder, hostile=True),
    "legs": lambda folder: write_legs(legs_runs.mixed(synthetic), folder / "legs.html"),
    "legs that agree": lambda folder: write_legs(legs_runs.agreeing(synthetic), folder / "agreeing-legs.html"),
    "hostile legs": hostile_legs,
    "gradient check": lambda folder: write_gradcheck(gradchecks.check(), folder / "gradcheck.html"),
    "gradient check that diverges": lambda folder: write_gradcheck(gradchecks.mixed(), folder / "diverging-gradcheck.html"),
    "hostile gradient check": lambda folder: write_gradcheck(gradchecks.poisoned(gradchecks.mixed()), folder / "hostile-gradcheck.html"),
    "training": lambda folder: write_training(trainings.conforming(10_000), folder / "training.html"),
    "training that diverges": lambda folder: write_training(trainings.diverging(), folder / "diverging-training.html"),
    "hostile training": lambda folder: write_training(trainings.poisoned(trainings.blind()), folder / "hostile-training.html"),
}
"""Name -> what makes the page."""
