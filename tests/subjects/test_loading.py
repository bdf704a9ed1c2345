"""Executing files and modules: what is found in them, and what is said when they fail."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oracle.subjects.loading import Loaded, LoadError, load
from oracle.subjects.target import parse_target
from tests.subjects.restoring import restored


@pytest.fixture(autouse=True)
def _same_process_afterwards() -> Iterator[None]:
    with restored():
        yield


def loaded(tmp_path: Path, source: str | bytes, name: str = "layers_here.py", **others: str) -> Loaded:
    for other, text in others.items():
        path = tmp_path / f"{other.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(source if isinstance(source, bytes) else source.encode())
    return load(parse_target(str(file)))


def refused(tmp_path: Path, source: str | bytes, **others: str) -> str:
    with pytest.raises(LoadError) as error:
        loaded(tmp_path, source, **others)
    return str(error.value)


def test_public_definitions_of_the_file_itself_in_order(tmp_path: Path) -> None:
    source = (
        "from os.path import join\nfrom helper_x import other\nimport numpy as np\nB = 1\nclass Z: pass\ndef a(): pass\nf = lambda x: x\n"
    )
    source += "class _Hidden: pass\nAlias = Z\nz = Z()\nclass Odd:\n    def __getattr__(self, n): raise ValueError(n)\nodd = Odd()\n"
    source += "import functools\n@functools.lru_cache\ndef cached(x): return x\n"
    assert loaded(tmp_path, source, helper_x="def other(): pass").defined == ("Z", "a", "f", "Odd", "cached")


def test_a_file_is_a_module_of_its_own_name(tmp_path: Path) -> None:
    source = "import dataclasses\nif __name__ == '__main__': raise SystemExit\n@dataclasses.dataclass\nclass Point:\n    x: 'int' = 3\n"
    found = loaded(tmp_path, source)
    point = found.namespace["Point"]()
    assert pickle.loads(pickle.dumps(point)) == point and sys.modules["layers_here"].Point is type(point)


@pytest.mark.parametrize("name", ["json.py", "numpy.py", "2nd-try.v3.py", "class.py"])
def test_any_file_name_will_do_and_hides_no_module(tmp_path: Path, name: str) -> None:
    import json

    import numpy

    assert loaded(tmp_path, "class Relu: pass", name).defined == ("Relu",)
    assert sys.modules["json"] is json and sys.modules["numpy"] is numpy


def test_imports_resolve_beside_it_under_path_and_in_the_folder_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "given_x.py").write_text("w = 'given'")
    (tmp_path / "common_x").mkdir()
    (tmp_path / "common_x/functions.py").write_text("u = 'above'")
    (tmp_path / "ch05").mkdir()
    (tmp_path / "ch05/beside_x.py").write_text("v = 'beside'")
    file = tmp_path / "ch05/two_layer.py"
    file.write_text("from common_x.functions import u\nfrom beside_x import v\nfrom given_x import w\n")
    namespace = load(parse_target(str(file)), [str(elsewhere)]).namespace
    assert (namespace["u"], namespace["v"], namespace["w"]) == ("above", "beside", "given")
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_file_that_imports_relatively_is_a_part_of_its_package(tmp_path: Path) -> None:
    (tmp_path / "pkg_x").mkdir()
    (tmp_path / "pkg_x/__init__.py").write_text("from .layers import Relu")
    (tmp_path / "pkg_x/base.py").write_text("class Base: pass")
    assert loaded(tmp_path, "from .base import Base\nclass Relu(Base): pass", "pkg_x/layers.py").defined == ("Relu",)


def test_a_relative_import_may_go_up_without_any_init_file(tmp_path: Path) -> None:
    found = loaded(tmp_path, "from ..common.base_w import n\nclass Relu: pass", "book_w/ch05/layers.py", book_w__common__base_w="n = 7")
    assert found.defined == ("Relu",) and found.namespace["n"] == 7


def test_a_module_is_found_under_path_with_what_its_package_exports(tmp_path: Path) -> None:
    (tmp_path / "book_x").mkdir()
    (tmp_path / "book_x/__init__.py").write_text(
        "from .layers import Relu\nfrom math import sqrt, cos\nimport json\n__all__ = ['sqrt', 'gone', 3]\n"
    )
    (tmp_path / "book_x/layers.py").write_text("class Relu: pass\nclass Other: pass\n")
    assert load(parse_target("book_x"), [str(tmp_path)]).defined == ("Relu", "sqrt")
    assert load(parse_target("book_x.layers"), [str(tmp_path)]).defined == ("Relu", "Other")


def test_names_that_only_begin_alike_are_not_its_own(tmp_path: Path) -> None:
    assert loaded(tmp_path, "from layers_here2 import Relu", layers_here2="class Relu: pass").defined == ()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\ny = = 2\n", "layers_here.py, line 2: SyntaxError: invalid syntax: `y = = 2`"),
        ("\nimport numpy as np\nnp.zeros(-1)\n", "layers_here.py, line 3: ValueError: negative dimensions"),
        ("def f():\n    raise KeyError('k')\n\nf()\n", "layers_here.py, line 2: KeyError: 'k'"),
        ("exit(3)", 'it ends Python (SystemExit: 3); put what does so under `if __name__ == "__main__":`'),
        ("raise KeyboardInterrupt", "layers_here.py, line 1: KeyboardInterrupt"),
        ("class E(BaseException):\n    def __str__(self): raise self\nraise E", "line 3: E, whose message cannot be shown"),
        ("raise ValueError('a\\n' * 10_000)", "line 1: ValueError: a a a"),
        ("def f(): f()\nf()", "layers_here.py"),
        ("return 1", "line 1: SyntaxError: 'return' outside function"),
        ("x = '\0'", "null bytes"),
        ("(" * 5000, "layers_here.py"),
        ("-" * 100_000 + "1", "layers_here.py"),
        ("x" * 10_000_000 + " y", "line 1: SyntaxError"),
        (b"x = '\xe9'", "layers_here.py"),
        ("from broken_x import a", "layers_here.py, line 1: ZeroDivisionError: division by zero (raised in broken_x.py, line 2)"),
        ("from good_x import nothing", "layers_here.py, line 1: ImportError: cannot import name 'nothing'"),
        ("import bad_x", "bad_x.py, line 1: SyntaxError"),
    ],
)
def test_what_fails_is_told_with_its_line(tmp_path: Path, source: str | bytes, said: str) -> None:
    message = refused(tmp_path, source, broken_x="\na = 1 / 0", good_x="", bad_x="a b")
    assert said in message and len(message) < 900 and "\n" not in message


def test_a_missing_module_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    message = refused(tmp_path, "import numpy\nfrom common_y.functions import softmax\n")
    assert message.startswith("layers_here.py, line 2: there is no module 'common_y'; looked in ")
    assert str(tmp_path) in message and str(tmp_path.parent) in message and message.endswith("--path")
    assert "(json is " in refused(tmp_path, "import json\nimport json.functions\n")
    with pytest.raises(LoadError, match=r"^no_such_x.layers: there is no module 'no_such_x'; looked in .*--path$"):
        load(parse_target("no_such_x.layers"), [str(tmp_path)])


def test_a_failing_module_is_told_by_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "deep_x").mkdir()
    (tmp_path / "deep_x/fails.py").write_text("import numpy\n\nnumpy.zeros(-1)\n")
    with pytest.raises(LoadError, match="^fails.py, line 3: ValueError"):
        load(parse_target("deep_x.fails"), [str(tmp_path)])
    (tmp_path / "itself_x.py").write_text("import sys\nsys.modules[__name__] = 3\n")
    with pytest.raises(LoadError, match="itself_x puts a int in its own place"):
        load(parse_target("itself_x"), [str(tmp_path)])


@pytest.mark.parametrize(
    "source",
    ["# -*- coding: latin-1 -*-\nname = 'é'\ndef f(): pass\n".encode("latin-1"), "\ufeffname = 'é'\ndef f(): pass\n".encode()],
    ids=["coding line", "byte order mark"],
)
def test_encodings_are_honoured(tmp_path: Path, source: bytes) -> None:
    found = loaded(tmp_path, source)
    assert found.namespace["name"] == "é" and found.defined == ("f",)


def test_a_file_that_cannot_be_read_any_more(tmp_path: Path) -> None:
    (tmp_path / "gone.py").touch()
    target = parse_target(str(tmp_path / "gone.py"))
    (tmp_path / "gone.py").unlink()
    with pytest.raises(LoadError, match="gone.py cannot be read: No such file"):
        load(target)


def test_the_arguments_of_our_own_command_are_not_the_files(tmp_path: Path) -> None:
    assert loaded(tmp_path, "import sys\nargv = list(sys.argv)").namespace["argv"] == [str(tmp_path / "layers_here.py")]
