"""Real runs shared out and put together again: nobody can tell that they were."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oracle.results import Gate, Known, Run, Settings, read_run
from oracle.results.merge import SAMPLES, merge_shards, write_run
from oracle.search import tally
from oracle.search.campaign import campaign
from oracle.search.declaration import Plan
from oracle.search.entrant import own
from oracle.search.environment import environment
from oracle.subjects import subject_of
from reference import Relu

MAY_DIFFER = {"header": {"run_id", "started", "command", "settings"}, "footer": {"finished", "seconds"}}


class Wrong(Relu):
    """Twice the gradient, but for float32 any-rank cases, where the sign is lost; and a warning on large inputs."""

    def forward(self, x: Any) -> Any:
        self.small = x.dtype.itemsize == 4 and x.ndim != 2
        return super().forward(x)

    def backward(self, dout: Any) -> Any:
        dx = super().backward(dout)
        return abs(dx) if self.small else dx * 2


here = functools.cache(environment)
"""Looked up once: the tree may be worked on while a test runs."""
LISTED = Gate(known=(Known(layer="Relu", branch="matrix", quantity="backward.dx", reason="twice"),))


def done(path: Path, shard: tuple[int, int] | None, vetted: bool, examples: int = 700, gate: Gate | None = None) -> Run:
    names = ("Relu", "softmax")
    asked = Settings(layers=names, examples=examples, seed=9, dtypes=("float64", "float32"), workers=1, shard=shard)
    campaign(Plan(own(names), asked, here(), "test", vetted=vetted, gate=gate), path, lambda layer, n: None)
    return read_run(path)


def plain(run: Run) -> dict[str, Any]:
    """All of a run that must be the same, in an order of its own."""
    told = json.loads(run.model_dump_json())
    for part, fields in MAY_DIFFER.items():
        for field in fields:
            del told[part][field]
    for name, records in told.items():
        if isinstance(records, list):
            told[name] = sorted(records, key=lambda record: json.dumps(record, sort_keys=True))
    return told


@pytest.mark.parametrize(("n", "gate"), [(2, None), (3, None), (3, LISTED)])
def test_the_shards_of_a_failing_run_are_that_run(n: int, gate: Gate | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oracle.search.entrant.subject_of", lambda spec: subject_of(spec, Wrong if spec.name == "Relu" else None))
    monkeypatch.setattr("oracle.search.campaign.FLUSH_SECONDS", 0.0)
    whole = done(tmp_path / "whole", None, vetted=False, gate=gate)
    monkeypatch.setattr("oracle.search.campaign.FLUSH_SECONDS", 1e9)
    shards = {str(k): done(tmp_path / str(k), (k, n), vetted=False, gate=gate) for k in range(1, n + 1)}
    merged = merge_shards(shards)
    assert plain(merged) == plain(whole)
    assert merged.header.settings == whole.header.settings and not merged.seen
    assert {c.quantity for c in merged.counterexamples if c.minimised} == {"backward.dx"}
    (small,) = (c for c in merged.counterexamples if c.minimised)
    assert small.branch == ("any-rank" if gate else "matrix") and len(merged.counterexamples) > 1, "what is not listed is explained first"
    assert merged.samples and merged.worsts
    write_run(tmp_path / "merged", merged)
    assert read_run(tmp_path / "merged") == merged


def test_planted_faults_and_the_oracle_are_judged_by_the_first_shard_as_by_the_run(tmp_path: Path) -> None:
    whole = done(tmp_path / "whole", None, vetted=True, examples=300)
    shards = {str(k): done(tmp_path / str(k), (k, 2), vetted=True, examples=300) for k in (2, 1)}
    assert not shards["2"].planted and not shards["2"].health
    merged = merge_shards(shards)
    assert plain(merged) == plain(whole) and merged.header.n_planted == len(merged.planted) > 0


def test_the_merge_keeps_as_many_samples_as_the_sweep() -> None:
    assert SAMPLES == tally.SAMPLES


def test_shards_are_put_together_without_numpy_or_torch(tmp_path: Path) -> None:
    for k in (1, 2):
        done(tmp_path / str(k), (k, 2), vetted=False, examples=64)
    code = (
        "import sys; from pathlib import Path; from oracle.results import read_run; from oracle.results.legs import legs_of;"
        "from oracle.results.labels import Source; from oracle.results.across import across; from reports import reporter;"
        "names = sys.argv[1:]; legs = legs_of([Source(name, read_run(Path(name))) for name in names]);"
        "reporter('legs'), reporter('legs-page'), across(legs.legs);"
        "print(len(legs.legs), [m for m in ('numpy', 'torch', 'hypothesis', 'reference', 'oracle.core') if m in sys.modules])"
    )
    files = [str(tmp_path / str(k)) for k in (1, 2)]
    ran = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "1 []"
