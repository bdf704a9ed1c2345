"""A training file gives back what was written, survives damage, and says what is wrong with it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from oracle.results import ResultsError, ResultsWriter
from oracle.results.model import Record
from oracle.results.training import (
    TRAINING_SCHEMA_VERSION,
    Steps,
    Training,
    TrainingWriter,
    read_training,
    training_verdict,
)
from oracle.results.training.codec import assembled
from tests.results import records, trainings
from tests.results.trainings import DTYPES, block, body, comparison, conforming_lines, epoch, footer, header, row


def written(path: Path, lines: Iterable[Record], **changes: Any) -> Path:
    with TrainingWriter(path, header(**changes)) as writer:
        for line in lines:
            writer.write(line)
    return path


def the_same(a: Training, b: Training) -> bool:
    """Whether two trainings hold the same, where NaN is NaN."""
    return a.model_dump_json() == b.model_dump_json()


@pytest.mark.parametrize("name", [name for name in trainings.TRAININGS if "hostile" not in name])
def test_every_training_comes_back(name: str, tmp_path: Path) -> None:
    whole = trainings.TRAININGS[name]()
    parts = (whole.steps.values(), whole.rows, whole.divergences, whole.epochs, whole.timings, whole.checkpoints, whole.planted)
    with TrainingWriter(tmp_path / "t.jsonl", whole.header) as writer:
        for line in [line for part in parts for line in part] + [whole.footer]:
            writer.write(line)  # type: ignore[arg-type]
    back = read_training(tmp_path / "t.jsonl")
    assert the_same(back, whole.model_copy(update={"n_damaged": 0})) and len(back.steps) > 0


def test_losses_that_are_no_numbers_come_back(tmp_path: Path) -> None:
    odd = (math.nan, math.inf, -math.inf, -0.0, 5e-324)
    path = written(tmp_path / "t", [block("float64", 1, 5, actual=odd, shadow=odd)])
    assert b'"NaN","Infinity","-Infinity"' in path.read_bytes()
    back = read_training(path).steps["float64"]
    for column in (back.actual, back.shadow):
        assert math.isnan(column[0]) and column[1:3] == odd[1:3] and math.copysign(1, column[3]) == -1 and column[4] == 5e-324


def test_blocks_are_joined_in_the_order_of_their_steps(tmp_path: Path) -> None:
    path = written(tmp_path / "t", conforming_lines(), steps=300)
    found = read_training(path)
    assert set(found.steps) == set(DTYPES)
    for dtype, steps in found.steps.items():
        assert steps == block(dtype, 1, 300)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_lost_block_shows_as_fewer_steps_and_is_never_green(lost: int, tmp_path: Path) -> None:
    lines = body("float64")
    del lines[lost]
    found = read_training(written(tmp_path / "t", [*lines, footer()], dtypes=("float64",)))
    steps = found.steps["float64"]
    assert (steps.first, len(steps.actual)) == [(101, 200), (1, 100), (1, 200)][lost]
    decided = training_verdict(found)
    assert decided.exit_code == 3 and f"Of 300 steps there are {[0, 100, 200][lost]} in float64." in decided.sentence


def test_a_block_with_other_columns_is_not_joined(tmp_path: Path) -> None:
    other = block("float64", 101, 100, distances={"W1": [0.0] * 100})
    found = read_training(written(tmp_path / "t", [block("float64", 1, 100), other, block("float64", 201, 100)]))
    assert len(found.steps["float64"].actual) == 100
    named = block("float64", 101, 100, margins={"forward.loss": [None] * 100})
    found = read_training(written(tmp_path / "u", [block("float64", 1, 100), named]))
    assert len(found.steps["float64"].margins["backward.dW1"]) == 100


def test_of_lines_with_one_key_the_last_counts(tmp_path: Path) -> None:
    early = [row("float64", "forward.loss", 10), row("float32", "forward.loss", 20), epoch("float64", 0, 0), *body("float64", 100)[-2:]]
    late = [row("float64", "forward.loss", 30, margin=0.9), epoch("float64", 0, 0, actual_test=0.125), *body("float64", 200)[-2:]]
    found = read_training(written(tmp_path / "t", [*early, *late]))
    assert [(r.dtype, r.n_judged) for r in found.rows] == [("float64", 30), ("float32", 20)]
    assert [e.actual_test for e in found.epochs] == [0.125]
    assert [t.steps for t in found.timings] == [200] and [c.step for c in found.checkpoints] == [200]


def test_what_is_kept_of_a_training_that_is_resumed_comes_first(tmp_path: Path) -> None:
    path = written(tmp_path / "t", body("float64", 100))
    kept = body("float64", 100)[:-1]
    with TrainingWriter(path, header(steps=200, dtypes=("float64",)), kept) as writer:  # type: ignore[arg-type]
        assert len(read_training(path).steps["float64"].actual) == 100
        for line in (block("float64", 101, 100), row("float64", "trajectory", 200), footer()):
            writer.write(line)
    found = read_training(path)
    assert found.header.settings.steps == 200 and found.steps["float64"] == block("float64", 1, 200) and not found.checkpoints
    assert {r.quantity: r.n_judged for r in found.rows}["trajectory"] == 200 and training_verdict(found).exit_code == 0


def test_a_file_cut_off_anywhere_keeps_its_whole_lines_and_is_never_green(tmp_path: Path) -> None:
    path = written(tmp_path / "t", [block("float64", 1, 3), row("float64", "forward.loss", 3), footer()], steps=3, dtypes=("float64",))
    whole = path.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == 10]
    assert training_verdict(read_training(path)).exit_code == 0
    for cut in range(ends[0], len(whole) - 1, 7):
        path.write_bytes(whole[:cut])
        found = read_training(path)
        n_whole = sum(end - 1 <= cut for end in ends) - 1
        assert (len(found.steps), len(found.rows)) == (min(n_whole, 1), int(n_whole > 1)) and found.footer is None, cut
        assert found.n_damaged == (cut not in ends and cut + 1 not in ends), cut
        assert training_verdict(found).exit_code == 3


DAMAGE = (
    b"{]",
    b"\x00\xff",
    b"null",
    b'{"kind": "steps"}',
    b'{"kind": "result"}',
    block("float64", 1, 2).model_dump_json().replace('"actual":[', '"actual":[0.5,').encode(),
    row("float64", "forward.loss").model_dump_json().replace('"n_failed":0', '"n_failed":1').encode(),
    row("float64", "forward.loss").model_dump_json().replace('"n_failed":0', '"n_failed":-1').encode(),
    epoch("float64", 0, 0).model_dump_json().replace("0.12", "1.12").encode(),
    body("float64", 1)[-1].model_dump_json().replace("float64.safetensors", "../float64.safetensors").encode(),
    records.result().model_dump_json().encode(),
)


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
def test_a_damaged_line_is_counted_and_passed_over(damage: bytes, tmp_path: Path) -> None:
    path = written(tmp_path / "t", conforming_lines())
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:5], damage, b"", *lines[5:]]) + b"\n")
    found = read_training(path)
    assert found.n_damaged == 1 and the_same(found, trainings.conforming().model_copy(update={"n_damaged": 1}))
    assert training_verdict(found).exit_code == 3 and "1 line of the training file could not be read." in training_verdict(found).gaps


def test_a_block_whose_columns_differ_in_length_is_no_record() -> None:
    for name in ("expected", "distance", "allowed", "shadow", "injected"):
        with pytest.raises(ValueError, match="a block of 5 steps has columns of another length"):
            block("float64", 1, 5, **{name: [0.0] * 4})
    with pytest.raises(ValueError, match="columns of another length"):
        Steps.model_validate({**block("float64", 1, 5).model_dump(), "margins": {"forward.loss": [None] * 6}})


def test_a_row_that_does_not_add_up_is_no_record() -> None:
    with pytest.raises(ValueError, match="11 of 10 steps failed"):
        row("float64", "forward.loss", 10, n_failed=11, status="failed")
    with pytest.raises(ValueError, match="1 steps failed, yet the row is said to be passed"):
        row("float64", "forward.loss", 10, n_failed=1)


def test_a_file_that_is_none_of_ours_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "t"
    newer = {**json.loads(header().model_dump_json()), "schema_version": TRAINING_SCHEMA_VERSION + 1, "novelty": 1}
    for content, words in (
        ("", "no training of gradconform's"),
        ("PK\x03\x04", "no training of gradconform's"),
        ('{"a": 1}', "no training of gradconform's"),
        (footer().model_dump_json(), "its first line is a footer, not a header"),
        (records.header().model_dump_json(), "no training of gradconform's"),
        (json.dumps(newer, separators=(",", ":")), f"training schema {TRAINING_SCHEMA_VERSION + 1}.*Update gradconform"),
    ):
        path.write_text(content)
        with pytest.raises(ResultsError, match=words) as raised:
            read_training(path)
        assert str(path) in str(raised.value)
    for missing in (tmp_path / "no such file", tmp_path):
        with pytest.raises(ResultsError, match="cannot read"):
            read_training(missing)


def test_the_results_of_a_run_are_no_training(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path / "results.jsonl", records.header()) as writer:
        writer.write(records.result())
    with pytest.raises(ResultsError, match="results.jsonl is no training of gradconform's"):
        read_training(tmp_path / "results.jsonl")


def test_two_trainings_in_one_file_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "t", body("float64"))
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(ResultsError, match="holds more than one training. Take it apart where a header begins."):
        read_training(path)


def test_a_divergence_keeps_its_arrays_to_the_bit(tmp_path: Path) -> None:
    path = written(tmp_path / "t", trainings.diverging().divergences)
    (first, second) = sorted(read_training(path).divergences, key=lambda d: d.step)
    assert (first.quantity, first.step, first.comparison) == ("backward.db1", 2, comparison())
    assert first.comparison.actual is not None and first.comparison.actual.values() == [2.0] and second.step == 3


def test_the_room_loads_neither_numpy_nor_torch() -> None:
    code = (
        "import sys, oracle.results.training, reports.training_html, reports.training_text; "
        "print([m for m in ('numpy', 'torch', 'hypothesis', 'reference', 'oracle.core', 'oracle.nets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_a_contract_broken_before_the_first_step_is_said_so() -> None:
    wrong = row("float64", "params.unchanged", status="failed", n_failed=1, first_failed=0, message="accuracy changed W1")
    told = training_verdict(assembled(header(dtypes=("float64",)), [*body("float64"), wrong, footer()])).sentence
    assert "params.unchanged float64, before the first step" in told
