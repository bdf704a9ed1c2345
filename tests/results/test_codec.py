"""A results file gives back what was written, survives damage, and says what is wrong with it."""

from __future__ import annotations

import functools
import itertools
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.core.stored import restored_array, stored_array
from oracle.results import SCHEMA_VERSION, ArrayData, ResultsError, ResultsWriter, read_run
from oracle.results.codec import add_results
from oracle.results.held import LOCK
from oracle.results.model import Record
from tests.results.records import array, counterexample, depth, footer, header, result

DTYPES = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64")


def written(path: Path, *records: Record) -> Path:
    with ResultsWriter(path, header()) as writer:
        for record in records:
            writer.write(record)
    return path


def test_every_record_comes_back(tmp_path: Path) -> None:
    records = (result(margin=math.inf, worst_outcome="differs", message="\u00e9 \u2028 line"), depth(), counterexample(), footer())
    run = read_run(written(tmp_path / "r.jsonl", *records))
    assert run.header == header() and run.n_damaged == 0
    assert run.results == (records[0],) and run.depths == (records[1],) and run.footer == records[3]
    (found,) = run.counterexamples
    assert found.case == records[2].case and found.comparison.margin == math.inf
    assert found.comparison.max_abs is not None and math.isnan(found.comparison.max_abs)
    assert found.comparison.actual is not None and found.comparison.actual.raw() == bytes.fromhex("efbeaddeefbef87f")


@pytest.mark.parametrize("margin", [None, 0.0, 0.1, 1e308, 5e-324, math.inf, math.nan], ids=str)
def test_a_margin_comes_back(margin: float | None, tmp_path: Path) -> None:
    (found,) = read_run(written(tmp_path / "r", result(margin=margin))).results
    assert found.margin == margin or (margin != margin and found.margin is not None and math.isnan(found.margin))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0), (2, 3)], ids=str)
def test_an_array_comes_back_to_the_bit(dtype: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    n = math.prod(shape) * np.dtype(dtype).itemsize
    raw = rng.integers(0, 2 if dtype == "bool" else 256, n).astype(np.uint8).tobytes()
    a = np.frombuffer(raw, dtype).reshape(shape)
    for laid in (a, np.asfortranarray(a) if a.ndim else a, a.astype(a.dtype.newbyteorder(">"))):
        data = ArrayData.model_validate_json(stored_array(laid).model_dump_json())
        back = restored_array(data)
        assert back.dtype == a.dtype and back.shape == shape and back.tobytes() == a.tobytes() and back.flags.writeable
        assert data.dtype == dtype and len(data.values()) == a.size
    if dtype.startswith(("int", "uint", "bool")):
        assert stored_array(a).values() == a.ravel().tolist()


@pytest.mark.parametrize("bits", [0x7FF80000DEADBEEF, 0xFFF8000000000001, 0x7FF0000000000000, 0x8000000000000000, 1], ids=hex)
def test_nan_payloads_and_signed_zeros_survive(bits: int) -> None:
    a = np.array([bits], np.uint64).view(np.float64)
    assert restored_array(stored_array(a)).view(np.uint64)[0] == bits


@pytest.mark.parametrize(
    "bad",
    [{"dtype": "object"}, {"shape": (3,)}, {"data": "!!"}, {"data": ""}, {"shape": (-1,)}, {"shape": (1,) * 33}],
    ids=lambda bad: next(iter(bad.items())).__repr__(),
)
def test_an_array_that_does_not_agree_with_itself_is_refused(bad: dict[str, Any]) -> None:
    given = array(bytes(16), "float64", 2).model_dump()
    with pytest.raises(ValueError, match=next(iter(bad))):
        ArrayData(**{**given, **bad})


def test_a_file_cut_off_anywhere_keeps_its_whole_lines(tmp_path: Path) -> None:
    path = written(tmp_path / "r", result("a"), result("b"), footer())
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]
    for cut in (ends[0], ends[0] + 5, ends[1] - 2, ends[1], ends[2] - 10, ends[2], len(whole) - 3):
        path.write_bytes(whole[:cut])
        run = read_run(path)
        n_whole = sum(end - 1 <= cut for end in ends) - 1
        assert len(run.results) == min(n_whole, 2) and run.n_damaged == (cut not in ends), cut
        assert run.footer is None


@pytest.mark.parametrize("damage", [b"{]", b"\x00\xff", b"null", b"[]", b'{"kind": "verdict"}', b'{"kind": "footer"}'], ids=repr)
def test_a_damaged_line_is_counted_and_passed_over(damage: bytes, tmp_path: Path) -> None:
    path = written(tmp_path / "r", result("a"), result("b"), footer())
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:2], damage, b"", *lines[2:]]) + b"\n")
    run = read_run(path)
    assert run.n_damaged == 1 and [r.quantity for r in run.results] == ["a", "b"] and run.footer == footer()


def test_a_file_that_is_none_of_ours_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "r"
    newer = {**json.loads(header().model_dump_json()), "schema_version": SCHEMA_VERSION + 1, "novelty": 1}
    for content, words in (
        ("", "not a gradconform results file"),
        ("PK\x03\x04", "not a gradconform results file"),
        ('{"a": 1}', "not a gradconform results file"),
        (footer().model_dump_json(), "first line is a footer"),
        (json.dumps(newer), f"schema {SCHEMA_VERSION + 1}.*Update gradconform"),
    ):
        path.write_text(content)
        with pytest.raises(ResultsError, match=words):
            read_run(path)
    for missing in (tmp_path / "no such file", tmp_path):
        with pytest.raises(ResultsError, match="cannot read"):
            read_run(missing)


def test_a_newer_schema_with_the_same_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r").write_text(header().model_copy(update={"schema_version": SCHEMA_VERSION + 1}).model_dump_json())
    with pytest.raises(ResultsError, match="Update gradconform"):
        read_run(tmp_path / "r")


def test_a_file_that_cannot_be_written_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ResultsError, match="--out"):
        ResultsWriter(tmp_path / "file" / "r", header())
    assert (tmp_path / "file").read_text() == "kept"


def test_every_line_is_on_disk_once_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "r"
    with ResultsWriter(path, header()) as writer:
        assert read_run(path).footer is None
        writer.write(result())
        assert len(read_run(path).results) == 1
    assert sorted(p.name for p in path.parent.iterdir()) == [LOCK, "r"]


def test_of_counterexamples_with_one_id_the_last_counts(tmp_path: Path) -> None:
    found = read_run(written(tmp_path / "r", counterexample("a"), counterexample("b"), counterexample("a", snippet="new")))
    assert {c.id: c.snippet for c in found.counterexamples} == {"a": "new", "b": ""}


def test_parts_are_summed(tmp_path: Path) -> None:
    parts = (
        result(n_judged=4, n_failed=1, status="failed", margin=2.0, worst_case=7, worst_outcome="imprecise", message="m"),
        result(n_judged=6, margin=0.5, worst_case=1, n_inconclusive=2, n_elements=5, n_undetermined=1),
        result("other", n_judged=1),
        depth(shapes={"2": 1}),
        depth(n_discarded=2, profiles={"normal": 1, "ties": 2}, shapes={"2": 2}),
    )
    run = read_run(written(tmp_path / "r", *parts))
    first, other = run.results
    assert (first.n_judged, first.n_failed, first.n_inconclusive, first.n_elements, first.n_undetermined) == (10, 1, 2, 5, 1)
    assert (first.status, first.margin, first.worst_case, first.worst_outcome, first.message) == ("failed", 2.0, 7, "imprecise", "m")
    assert other.n_judged == 1
    (total,) = run.depths
    assert (total.n_cases, total.n_distinct, total.n_discarded) == (20, 18, 2)
    assert total.profiles == {"normal": 5, "ties": 2} and total.shapes == {"2": 3}


PARTS = (
    result(margin=None, worst_case=None, n_judged=0, status="not-run"),
    result(margin=0.5, worst_case=9),
    result(margin=0.5, worst_case=4),
    result(margin=3.0, worst_case=2, status="failed", n_failed=1, worst_outcome="imprecise", message="x"),
    result(margin=math.inf, worst_case=5, status="error", n_failed=2, worst_outcome="differs", message="y"),
    result(margin=7.0, worst_case=8, status="failed", n_failed=1, message="z", first_failed=3),
    result(margin=2.0, worst_case=1, status="failed", n_failed=1, message="first", first_failed=1),
    result(margin=2.0, worst_case=1, status="failed", n_failed=1, message="of a corpus"),
)


def test_adding_is_commutative_and_associative() -> None:
    for a, b in itertools.product(PARTS, repeat=2):
        assert add_results(a, b) == add_results(b, a)
    for a, b, c in itertools.product(PARTS, repeat=3):
        assert add_results(add_results(a, b), c) == add_results(a, add_results(b, c))


def test_the_message_is_that_of_the_first_failing_case() -> None:
    for parts in itertools.permutations(PARTS):
        whole = functools.reduce(add_results, parts)
        assert (whole.message, whole.first_failed, whole.margin) == ("first", 1, math.inf)


def test_the_room_loads_neither_numpy_nor_torch() -> None:
    code = (
        "import sys, oracle.results; print([m for m in ('numpy', 'torch', 'hypothesis', 'reference', 'oracle.core') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
