"""Notebooks: what of their cells is run, what is left out, and what is said of it."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from oracle.subjects.loading import LoadError
from tests.subjects.restoring import notebook, restored


@pytest.fixture(autouse=True)
def _same_process_afterwards() -> Iterator[None]:
    with restored():
        yield


def test_imports_definitions_and_simple_assignments_are_run_in_order(tmp_path: Path) -> None:
    found = notebook(
        tmp_path,
        "import numpy as np\nfrom math import sqrt\n'a docstring'",
        ["eps: float = 1e-7\n", "W, (b, *rest) = np.random.randn(2, 3) / np.sqrt(2), (1, 2, 3)\n", "eps += 1"],
        "f = lambda x: x * eps\ntable = {k: np.zeros(k) for k in range(3)}\ntable['x'] = W.T.reshape(-1)\nroot = sqrt(4)",
        "class Relu:\n    def forward(self, x): return np.maximum(x, 0)\n\ndef softmax(x): return len(x)\nasync def later(): pass",
    )
    assert found.defined == ("f", "Relu", "softmax", "later") and not found.missing and found.notes == ()
    names = found.namespace
    assert (names["eps"], names["root"], names["rest"], names["W"].shape, names["table"]["x"].shape) == (1 + 1e-7, 2, [2, 3], (2, 3), (6,))


@pytest.mark.parametrize(
    ("stmt", "reason"),
    [
        ("if gone: print()", "calls print()"),
        ("for i in range(3):\n    done = i", "for loop"),
        ("while True:\n    done = 1", "while loop"),
        ("with open('f') as f:\n    done = 1", "with block"),
        ("if __name__ == '__main__':\n    done = 1", "for a run as a script"),
        ("if cuda():\n    done = 1", "if that calls cuda()"),
        ("print(1)", "calls print()"),
        ("plt.plot(x)", "calls plt.plot()"),
        ("done = train()", "calls train()"),
        ("done = [1, train(), 2]", "calls train()"),
        ("done = [train() for i in range(3)]", "calls train()"),
        ("done = np.sum(np.loadtxt('data.txt'))", "calls np.loadtxt()"),
        ("done = np.load('x.npy')", "calls np.load()"),
        ("done = Relu()", "calls Relu()"),
        ("done = sum(3)", "calls sum()"),
        ("done = lambda x=train(): x", "calls train()"),
        ("x + 1", "an expression"),
        ("assert done", "assert"),
        ("del done", "del"),
        ("raise ValueError", "raise"),
        ("done = await job", "await"),
        ("np.exp = done", "changes np.exp"),
        ("f(3).x = done", "changes f(3).x"),
        ("os.environ['A'] = 'b'", "changes os.environ"),
        ("setattr(np, 'exp', 3)", "changes np"),
    ],
)
def test_anything_else_is_left_out_and_noted_with_its_line(tmp_path: Path, stmt: str, reason: str) -> None:
    found = notebook(
        tmp_path,
        "np = sum = 3\nimport numpy as np\nfrom numpy import sum\nclass Relu: pass\ndef sum(x): raise SystemExit",
        f"x = 1\n{stmt}\ny = 2",
    )
    assert found.notes == (f"cell 2, line 2: not run ({reason})",)
    assert found.namespace["y"] == 2 and "done" not in found.namespace and found.namespace["np"].exp(0) == 1


def test_a_name_that_is_needed_and_missing_is_reported_with_the_reason(tmp_path: Path) -> None:
    found = notebook(
        tmp_path,
        "W = train()\nfor i in range(3):\n    class Inner: pass\n    last = i",
        "def nowhere(x): return softmax(x)\ndef trained(x): return x @ W\ndef looped(): return last, print, __name__",
        "def helper(x): return trained(x)\nclass Net:\n    def forward(self, x): return self.inner(x)\n"
        "    def inner(self, x): return [helper(i) for i in x]",
        "class Based(Unknown): pass\nclass Late(Based): pass\n@decorated\ndef g(): pass\ndef fine(x):\n"
        "    global made\n    made = x\n    return made",
    )
    computed = "which cell 1 computes, but that was not run (calls train())"
    assert found.missing == {
        "Inner": "Inner is in cell 1, line 2, which was not run (for loop)",
        "nowhere": "nowhere needs `softmax`, which no cell defines",
        "trained": f"trained needs `W`, {computed}",
        "looped": "looped needs `last`, which cell 1 computes, but that was not run (for loop)",
        "helper": f"helper needs `trained`, which needs `W`, {computed}",
        "Net": f"Net needs `helper`, which needs `trained`, which needs `W`, {computed}",
        "Based": "Based needs `Unknown`, which no cell defines",
        "Late": "Late needs `Based`, which cell 4 defines, but that failed: it needs `Unknown`, which no cell defines",
        "g": "g needs `decorated`, which no cell defines",
    }
    assert found.defined == ("fine",)
    assert "cell 4, line 1: failed: it needs `Unknown`, which no cell defines" in found.notes


def test_what_is_behind_decorators_properties_and_bases_is_needed_too(tmp_path: Path) -> None:
    found = notebook(
        tmp_path,
        "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def inner(*a): return f(*a)\n    return inner",
        "@deco\ndef decorated(x): return lost_1\nclass A:\n    @property\n    def forward(self): return lost_2\nclass B(A):\n    pass",
        "class C:\n    @staticmethod\n    def forward(): return lost_3\nclass D:\n    class Inner:\n"
        "        def f(self): return lost_4\n    forward = Inner.f",
        "def patch(self): return lost_5\nclass E:\n    def forward(self): return 1\nE.forward = patch\nclass F(A):\n    forward = 3",
    )
    needs = {name: reason.rpartition("`lost_")[2][0] for name, reason in found.missing.items()}
    assert needs == {"decorated": "1", "A": "2", "B": "2", "C": "3", "D": "4", "patch": "5", "E": "5"}
    assert found.defined == ("deco", "F")


def test_what_a_lambda_does_is_not_done_when_it_is_made(tmp_path: Path) -> None:
    found = notebook(tmp_path, "f = lambda x: train(x)\ng = lambda x: h(x)\nh = lambda x: print(x)")
    assert found.defined == ("g", "h") and found.missing == {"f": "f needs `train`, which no cell defines"}


def test_a_failing_import_costs_only_what_needs_it(tmp_path: Path) -> None:
    found = notebook(
        tmp_path,
        "import numpy as np, no_such_plot.pyplot as plt\nfrom math import cos, nothing_x\nimport json as js",
        "class Relu:\n    def forward(self, x): return self.clip(np.asarray(x))\n    def clip(self, x): return x\n"
        "    def plot(self): plt.plot()",
        "def show(x): plt.plot(x, cos(1))\ndef turned(x): return nothing_x(x)",
        "class Plot:\n    def draw(self): plt.plot()",
    )
    assert found.defined == ("Relu",) and set(found.missing) == {"show", "turned", "Plot"}
    assert found.missing["show"].startswith(
        "show needs `plt`, which cell 1 imports, but that failed: there is no module 'no_such_plot'; looked in"
    )
    assert found.missing["show"].endswith("--path") and "ImportError: cannot import name 'nothing_x'" in found.missing["turned"]


def test_conditions_and_tries_around_imports_and_definitions(tmp_path: Path) -> None:
    found = notebook(
        tmp_path,
        "try:\n    import no_such_x as np\nexcept ImportError:\n    print('none')\n    import numpy as np\nfinally:\n    done = train()",
        "import sys\nif 'google.colab' in sys.modules:\n    colab = 1\n    from google.colab import drive\nelse:\n    class Relu: pass",
        "try:\n    pass\nfinally:\n    print()\ntry:\n    import json\nfinally:\n    print()\ndef f(): return colab\nif True:\n    print()",
    )
    assert found.defined == ("Relu",) and found.namespace["np"].zeros(2).size == 2 and "json" in found.namespace
    assert found.missing == {"f": "f needs `colab`, which cell 2 defines under a condition that does not hold here"}
    assert "cell 1, line 4: not run (calls print())" in found.notes and "cell 1, line 7: not run (calls train())" in found.notes


def test_the_last_definition_counts_and_later_changes_are_noted(tmp_path: Path) -> None:
    found = notebook(
        tmp_path,
        "class Relu:\n    n = 1\nclass Affine: pass\nclass Lost: pass",
        "class Relu:\n    n = 2\n    __call__ = len\ndef back(self): return 5",
        "Affine.backward = back\nsetattr(Affine, 'forward', lambda self: 6)\nclass Lost(Gone): pass",
    )
    affine = found.namespace["Affine"]()
    assert found.namespace["Relu"].n == 2 and (affine.backward(), affine.forward()) == (5, 6)
    assert found.notes[:3] == (
        "cell 2, line 1: Relu is defined again; this one counts, not cell 1's",
        "cell 3, line 1: Affine.backward is replaced",
        "cell 3, line 2: Affine.forward is replaced",
    )
    assert "Lost" not in found.defined and found.missing == {"Lost": "Lost needs `Gone`, which no cell defines"}


@pytest.mark.parametrize("error", ["exit()", "raise SystemExit", "0 / 0", "class E(BaseException): pass\n    raise E"])
def test_a_statement_that_fails_is_noted_and_the_rest_goes_on(tmp_path: Path, error: str) -> None:
    found = notebook(tmp_path, f"class A:\n    {error}\nx = 1 / 0\ndef g(): return x", "def fine(): pass")
    assert found.defined == ("fine",) and set(found.missing) == {"A", "g"}
    assert "x`, which cell 1 computes, but that failed: ZeroDivisionError" in found.missing["g"]


def test_a_keyboard_interrupt_ends_the_loading(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="KeyboardInterrupt"):
        notebook(tmp_path, "class A:\n    raise KeyboardInterrupt", "x = 1")


@pytest.mark.parametrize(
    "lines",
    [
        "sys.path.append(os.path.join(os.pardir, os.pardir))",
        "sys.path.insert(0, '../..')",
        "sys.path += ['../..', unknown()]",
        "sys.path.extend(('../..',))",
        "here = os.path.abspath(os.path.join('..' + '/..'))\nif here not in sys.path:\n    sys.path.append(here)",
        "sys.path.append(os.path.dirname(os.path.dirname(os.getcwd())))",
        "sys.path.append(str(Path.cwd().parent / '..'))",
        "root = Path('..').resolve()\nsys.path.append(str(root.parent / '.'))",
        "root = Path.cwd().parent\nup = root / '..'\nsys.path.append(str(up))",
        "root = '../..'\nsys.path.append(root)",
        "try:\n    sys.path.append(os.path.realpath('../..'))\nexcept OSError:\n    pass",
    ],
)
def test_changes_of_the_search_path_are_honoured_relative_to_the_notebook(tmp_path: Path, lines: str) -> None:
    (tmp_path / "far_z.py").write_text("n = 4")
    imports = "import sys, os\nfrom pathlib import Path\n"
    found = notebook(tmp_path, imports + lines, "from far_z import n", name="a/b/c.ipynb")
    assert found.namespace["n"] == 4 and found.notes == ()


def test_two_folders_up_is_not_searched_unless_the_notebook_says_so(tmp_path: Path) -> None:
    (tmp_path / "far_z.py").write_text("n = 4")
    assert "there is no module 'far_z'" in notebook(tmp_path, "import far_z", name="a/b/c.ipynb").notes[0]


def test_a_search_path_that_is_not_understood_is_noted(tmp_path: Path) -> None:
    assert notebook(tmp_path, "import sys\nsys.path.append(find())").notes == ("cell 1, line 2: not run (calls sys.path.append())",)


def test_definitions_belong_to_a_module_named_after_the_notebook(tmp_path: Path) -> None:
    source = "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int = 1\ndef f():\n    raise ValueError('here')"
    found = notebook(tmp_path, source, name="2 my-book.ipynb")
    made = found.namespace["P"]()
    assert type(made).__module__ == "_2_my_book" and pickle.loads(pickle.dumps(made)) == made
    with pytest.raises(ValueError) as error:
        found.namespace["f"]()
    shown = "".join(traceback.format_tb(error.tb))
    assert 'File "<2 my-book.ipynb, cell 1>", line 6' in shown and "raise ValueError('here')" in shown


def test_a_notebook_may_import_from_a_file_of_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "layers_y.py").write_text("n = 5")
    found = notebook(tmp_path, "from layers_y import n\ndef f(): return n", name="layers_y.ipynb")
    assert found.namespace["n"] == 5 and found.defined == ("f",)


def test_future_imports_hold_for_the_cells_that_follow(tmp_path: Path) -> None:
    assert notebook(tmp_path, "from __future__ import annotations", "def f(x: Undefined): pass").defined == ("f",)


def test_names_of_a_star_import_are_known_for_what_they_are(tmp_path: Path) -> None:
    assert notebook(tmp_path, "from numpy import *\nx = zeros(3) + pi\nsavetxt('f', x)").notes == (
        "cell 1, line 3: not run (calls savetxt())",
    )
