"""Vectors that have been cut off, changed or blown up are refused with the reason. Needs neither torch nor Hypothesis."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from oracle.cli import main
from oracle.vectors.manifest import NAME
from oracle.vectors.reading import VectorsError, read_manifest, read_vectors, shipped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the vectors of one layer."""
    manifest = json.loads((shipped() / NAME).read_text())
    manifest["layers"] = [layer for layer in manifest["layers"] if layer["layer"] == "Relu"]
    manifest["n_cases"] = len(manifest["layers"][0]["cases"])
    shutil.copy(shipped() / "Relu.safetensors", tmp_path)
    (tmp_path / NAME).write_text(json.dumps(manifest))
    return tmp_path


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / NAME).read_text())
    edit(manifest)
    (folder / NAME).write_text(json.dumps(manifest))


def rewrite(folder: Path, raw: bytes) -> None:
    """Replace the file, and make the manifest agree with it."""
    (folder / "Relu.safetensors").write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    change(folder, lambda m: m["layers"][0].update(sha256=digest, size=len(raw)))


def everything(folder: Path) -> int:
    return sum(len(list(read_vectors(folder, layer))) for layer in read_manifest(folder).layers)


def test_what_was_not_touched_is_read(folder: Path) -> None:
    assert everything(folder) == read_manifest(folder).n_cases > 100


def _flip(raw: bytes) -> bytes:
    return raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:]


@pytest.mark.parametrize(
    "damage", [_flip, lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda raw: b""], ids=["bit", "short", "long", "empty"]
)
def test_a_file_that_was_changed_is_refused(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    path = folder / "Relu.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(VectorsError, match="Relu.safetensors"):
        everything(folder)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\0" * 7, struct.pack("<Q", 2**60), struct.pack("<Q", 10) + b"not json..", struct.pack("<Q", 2) + b"{}"],
    ids=["empty", "no header", "huge header", "no json", "no tensors"],
)
def test_what_is_no_safetensors_file_is_refused_even_if_the_digest_fits(folder: Path, raw: bytes) -> None:
    rewrite(folder, raw)
    with pytest.raises(VectorsError, match="Relu.safetensors"):
        everything(folder)


def test_a_header_that_points_beyond_the_file_is_refused(folder: Path) -> None:
    header = json.dumps({"0/input/x": {"dtype": "F64", "shape": [2**40], "data_offsets": [0, 2**43]}}).encode()
    rewrite(folder, struct.pack("<Q", len(header)) + header)
    with pytest.raises(VectorsError, match="Relu.safetensors"):
        everything(folder)


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        (lambda m: m.update(schema_version=99), "newer"),
        (lambda m: m.update(n_cases=m["n_cases"] + 1), "counts"),
        (lambda m: m.update(kind="header"), "kind"),
        (lambda m: m["layers"][0]["cases"].pop(), "counts"),
        (lambda m: m["layers"].append(m["layers"][0]), "counts"),
        (lambda m: m["layers"][0].update(file="../../etc/passwd"), "file"),
        (lambda m: m["layers"][0].update(file="/etc/passwd"), "file"),
        (lambda m: m["layers"][0].update(size=-1), "size"),
        (lambda m: m["layers"][0]["cases"][0].update(layout="sideways"), "sideways"),
        (lambda m: m["layers"][0]["cases"][0].update(protocol="shouting"), "shouting"),
        (lambda m: m["layers"][0]["cases"][0].update(n=m["layers"][0]["cases"][1]["n"]), "twice"),
        (lambda m: m.pop("layers"), "layers"),
        (lambda m: m.update(surprise=1), "surprise"),
    ],
)
def test_a_manifest_that_was_changed_is_refused(folder: Path, edit: Callable[[dict[str, Any]], object], word: str) -> None:
    change(folder, edit)
    with pytest.raises(VectorsError, match=word):
        read_manifest(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"schema_version": 1e999}'])
def test_what_is_no_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / NAME).write_text(text)
    with pytest.raises(VectorsError, match=NAME):
        read_manifest(folder)


def test_a_tensor_that_is_missing_is_named(folder: Path) -> None:
    change(folder, lambda m: m["layers"][0]["cases"][0].update(n=100_000))
    with pytest.raises(VectorsError, match="100000/"):
        everything(folder)


def test_vectors_of_another_check_judge_nothing(folder: Path, tmp_path: Path) -> None:
    change(folder, lambda m: m["layers"][0].update(check_version=99))
    done = CliRunner().invoke(main, ["replay", "--corpus", str(folder), "--out", str(tmp_path / "out")])
    assert done.exit_code == 3 and "99" in (tmp_path / "out" / "results.jsonl").read_text()


@pytest.mark.parametrize("target", ["nowhere.py", "nowhere.py:Relu"])
def test_the_command_names_what_is_not_there(target: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["replay", "--corpus", target, "--out", str(tmp_path)])
    assert done.exit_code == 2 and "nowhere" in done.output and "Traceback" not in done.output


def test_the_command_refuses_a_folder_without_vectors(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["replay", "--corpus", str(tmp_path), "--out", str(tmp_path)])
    assert done.exit_code == 2 and "gradconform record" in done.output
