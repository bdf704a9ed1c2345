"""From the JSON of a notebook to Python: odd formats, IPython's own lines, and sources that nobody can read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oracle.subjects.loading import LoadError
from tests.subjects.restoring import book, notebook, restored


@pytest.fixture(autouse=True)
def _same_process_afterwards() -> Iterator[None]:
    with restored():
        yield


def test_ipython_lines_are_ignored_with_a_note(tmp_path: Path) -> None:
    found = notebook(
        tmp_path,
        "%matplotlib inline\n!pip install it's \\\n  more\nimport math\n?print\nprint?\npip install numpy\nx = (7\n% 4)\n"
        "if x:\n    %time\n",
        "%%writefile f.py\nclass Written: pass",
        "\n%%time\nclass Timed: pass",
        "files = !ls *.py\na, b = %magic\ntext = '''\n%not magic\n'''\ndef f(): return files\ny = x != 3",
        "%%html\n<b>",
    )
    assert found.defined == ("Timed",) and (found.namespace["x"], found.namespace["text"], found.namespace["y"]) == (
        3,
        "\n%not magic\n",
        False,
    )
    assert found.missing == {"f": "f needs `files`, which cell 4 takes from IPython: files = !ls *.py"}
    assert found.notes == tuple(
        f"cell {cell}, line {line}: not run (IPython: {text})"
        for cell, line, text in [
            *[
                (1, 1, "%matplotlib inline"),
                (1, 2, "!pip install it's \\"),
                (1, 5, "?print"),
                (1, 6, "print?"),
                (1, 7, "pip install numpy"),
            ],
            *[
                (1, 11, "%time"),
                (2, 1, "%%writefile f.py"),
                (3, 2, "%%time"),
                (4, 1, "files = !ls *.py"),
                (4, 2, "a, b = %magic"),
                (5, 1, "%%html"),
            ],
        ]
    )


def test_a_cell_that_is_not_python_does_not_stop_the_others(tmp_path: Path) -> None:
    found = notebook(
        tmp_path, "class Broken:\n    def f(self) return 1", "def uses(): return Broken", "x = '\0'", "\ud800 = 1", "def fine(): pass"
    )
    assert found.defined == ("fine",) and len(found.notes) == 3
    assert found.missing["Broken"].startswith("Broken: cell 1, line 2 is not Python: SyntaxError: expected ':'")
    assert found.missing["uses"].startswith("uses needs `Broken`, which is a class of cell 1, and cell 1, line 2 is not Python")


def test_notes_do_not_grow_without_end(tmp_path: Path) -> None:
    notes = notebook(tmp_path, "print()\n" * 300).notes
    assert len(notes) == 201 and notes[-1] == "and 100 more"


def test_format_3_and_odd_cells(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "code", "input": ["def f():\n", "    pass"]},
        {"cell_type": "markdown", "source": "def m(): pass"},
        3,
        {"cell_type": "code"},
    ]
    assert book(tmp_path, {"nbformat": 3, "worksheets": [{"cells": cells}]}).defined == ("f",)
    odd = [{"cell_type": "code", "source": source} for source in (None, 5, {"a": 1}, ["def g(): ", 3, "pass"], "  \n")]
    assert book(tmp_path, {"nbformat": 4, "cells": odd}).defined == ("g",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "chapter_5.ipynb is no notebook: it is not JSON"),
        (b"print(1)", "it is not JSON"),
        (b"\xff\xfe\xff", "it is not JSON"),
        (b"[" * 200_000, "it is nested too deep"),
        (b"[]", "it has no nbformat"),
        (b"{}", "it has no nbformat"),
        ({"nbformat": 4}, "it has no list of cells"),
        ({"nbformat": 3, "worksheets": [{"cells": 3}]}, "it has no list of cells"),
        ({"nbformat": 2, "cells": []}, "has nbformat 2; save it in format 4"),
        ({"nbformat": 4, "cells": [], "metadata": {"language_info": {"name": "R"}}}, "is a notebook in r, not in Python"),
        ({"nbformat": 4, "cells": [], "metadata": {"kernelspec": {"language": "julia"}}}, "is a notebook in julia, not in Python"),
    ],
)
def test_what_is_no_python_notebook_is_refused(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(LoadError) as error:
        book(tmp_path, content)
    assert said in str(error.value)


def test_hostile_sources_are_noted(tmp_path: Path) -> None:
    found = notebook(tmp_path, "x = '" + "a" * 10_000_000 + "'", "(" * 5000, "-" * 100_000 + "1", " " * 1_000_000 + "!", "def f(): pass")
    assert found.defined == ("f",) and len(found.namespace["x"]) == 10_000_000 and len(found.notes) >= 2


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": "def f(): pass"}]}).encode()
    assert book(tmp_path, content).defined == ("f",)
