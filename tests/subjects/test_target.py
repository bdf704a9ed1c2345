"""Targets as users write them; nothing is executed to understand one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from oracle.subjects.target import TargetError, parse_target


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("relu.py", "book.ipynb", "notes.txt", "sub/affine.py", "pkg/__init__.py", "bare"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('executed')")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "kind", "where", "name"),
    [
        ("relu.py", "file", "relu.py", None),
        ("relu.py:Relu", "file", "relu.py", "Relu"),
        ("./sub/../sub/affine.py:Outer.Inner", "file", "sub/affine.py", "Outer.Inner"),
        ("book.ipynb:Größe", "notebook", "book.ipynb", "Größe"),
    ],
)
def test_a_file_or_notebook_becomes_an_absolute_path(folder: Path, text: str, kind: str, where: str, name: str | None) -> None:
    target = parse_target(text)
    assert (target.text, target.kind, target.where, target.name) == (text, kind, str((folder / where).resolve()), name)


@pytest.mark.parametrize(
    ("text", "where", "name"), [("a.b.c:Relu", "a.b.c", "Relu"), ("pkg", "pkg", None), ("no_such_module", "no_such_module", None)]
)
def test_anything_dotted_is_a_module_and_is_not_imported(text: str, where: str, name: str | None) -> None:
    target = parse_target(text)
    assert (target.kind, target.where, target.name) == ("module", where, name) and where not in sys.modules


def test_a_colon_may_belong_to_the_path(folder: Path) -> None:
    (folder / "a:b").mkdir()
    (folder / "a:b/x.py").touch()
    (folder / "odd.py:y.py").touch()
    assert parse_target("a:b/x.py").where.endswith("a:b/x.py")
    assert parse_target("a:b/x.py:Relu").name == "Relu"
    assert parse_target("odd.py:y.py").name is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rellu.py:Relu", "there is no file 'rellu.py'; did you mean relu.py?"),
        ("RELU.py", "did you mean relu.py?"),
        ("sub/afine.py", "did you mean sub/affine.py?"),
        ("nowhere/relu.py", "there is no folder 'nowhere'"),
        ("sub", "'sub' is a folder; name a file in it, such as sub/affine.py"),
        ("sub/", "is a folder; name a file in it"),
        ("notes.txt", "'notes.txt' is no Python file"),
        ("bare", "'bare' is no Python file"),
        ("relu", None),
        ("./relu", "'./relu' has no ending; did you mean ./relu.py?"),
        ("sub/other", "names neither a file.py nor a notebook.ipynb"),
        ("relu.py:", "nothing stands after the colon"),
        (":Relu", "nothing stands before the colon"),
        ("relu.py::Relu", "one colon goes before the name: relu.py:Relu"),
        ("relu.py:2x", "'2x' cannot be the name of a class or function"),
        ("relu.py:a..b", "'a..b' cannot be the name"),
        ("relu.py:class", "'class' cannot be the name"),
        ("my-module", "'my-module' is no module's name"),
        (".relative", "'.relative' is no module's name"),
        ("C:\\x.py:Relu", "there is no file 'C:\\\\x.py'"),
        ("C:\\x.py", "there is no file 'C:\\\\x.py'"),
        ("", "the target is empty"),
        ("relu.py\0", "the target is empty"),
        ("x" * 5000 + ".py", "there is no file"),
    ],
)
def test_what_is_no_target_is_refused_with_what_to_write(text: str, said: str | None) -> None:
    if said is None:
        assert parse_target(text).kind == "module"
        return
    with pytest.raises(TargetError) as error:
        parse_target(text)
    assert said in str(error.value)


def test_a_folder_called_like_a_file_is_still_a_folder(folder: Path) -> None:
    (folder / "x.py").mkdir()
    with pytest.raises(TargetError, match="is a folder; and there is no .py or .ipynb file in it"):
        parse_target("x.py")
