"""What the project says of itself: import rules, versions named alike everywhere, commands of the README."""

from __future__ import annotations

import configparser
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _text(name: str) -> str:
    return (ROOT / name).read_text()


def _tox() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(_text("tox.ini"))
    return parser


PYTHONS = re.findall(r"Python :: (3\.\d+)\"", _text("pyproject.toml"))
"""The supported versions. They are declared by the classifiers; everything else has to agree."""
FULL = {f"py{version.replace('.', '')}" for version in PYTHONS}
REPLAY = {f"{leg}-replay" for leg in FULL}
OLDEST_NUMPY = {f"py3{minor}-replay-numpy126" for minor in (10, 11, 12)}
"""There is no NumPy 1.26 for newer Pythons."""


def test_rooms_import_one_way() -> None:
    code = "import sys\nfrom importlinter.cli import lint_imports\nsys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("module", ["reference", "oracle.results", "reports", "reports.html", "reports.summary"])
def test_light_rooms_load_without_torch_and_hypothesis(module: str) -> None:
    heavy = {"torch", "hypothesis", *(() if module == "reference" else ("numpy",))}
    code = f"import sys, {module}\nprint(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _expanded(text: str) -> set[str]:
    """The names that tox makes of `text`: braces hold alternatives."""
    names = set()
    for word in re.findall(r"(?:[^\s,{]|\{[^}]*\})+", text):
        parts = [part.strip("{}").split(",") if part.startswith("{") else [part] for part in re.findall(r"\{[^}]*\}|[^{]+", word)]
        names |= {"".join(chosen) for chosen in itertools.product(*parts)}
    return names


def test_supported_pythons_are_declared_alike() -> None:
    project = _text("pyproject.toml")
    oldest = PYTHONS[0]
    assert sorted(PYTHONS, key=lambda version: int(version[2:])) == PYTHONS and len(set(PYTHONS)) == len(PYTHONS)
    assert f'requires-python = ">={oldest}"' in project
    assert f'target-version = "py{oldest.replace(".", "")}"' in project
    assert f"Python {oldest} or later" in _text("README.md")
    named = re.findall(r"\b3\.\d+\b", _text("docs/workflow-example.yml"))
    assert named == PYTHONS
    assert re.findall(r"default: \"(3\.\d+)\"", _text("action.yml"))[0] in PYTHONS


def test_tox_has_a_leg_for_every_python_with_torch_without_and_with_the_oldest_numpy() -> None:
    tox = _tox()
    declared = _expanded(tox["tox"]["env_list"])
    assert declared == FULL | REPLAY | OLDEST_NUMPY | {"lint", "types", "arch", "report"}
    label, _, names = tox["tox"]["labels"].strip().partition(" = ")
    assert (label, _expanded(names)) == ("replay", REPLAY | OLDEST_NUMPY)
    (expected,) = re.findall(r"\{env:GRADCONFORM_EXPECT:([^}]*)\}", tox["testenv:matrix"]["commands"])
    assert _expanded(expected) == FULL | REPLAY | OLDEST_NUMPY


def test_every_leg_without_torch_is_one_by_its_section_and_leaves_its_results() -> None:
    tox = _tox()
    (light,) = (name for name in tox.sections() if "replay" in name)
    assert _expanded(light.removeprefix("testenv:")) >= REPLAY | OLDEST_NUMPY
    for section in ("testenv", light):
        commands = tox[section]["commands"].split("\n")
        assert "{[legs]forget}" in commands[1], "what an earlier run left is not this one's"
        assert commands[-1].endswith("--label {env_name} --out {[legs]folder}{/}{env_name}")
    assert tox["testenv"]["runner"] == "virtualenv"


def test_the_oldest_numpy_is_the_one_that_is_tried() -> None:
    (floor,) = re.findall(r'"numpy>=([\d.]+)"', _text("pyproject.toml"))
    tried = set(re.findall(r"numpy==([\d.]+)", _text("tox.ini")))
    assert len(tried) == 1 and tried.pop().startswith(f"{floor}.")
    assert all(leg.endswith(f"-numpy{floor.replace('.', '')}") for leg in OLDEST_NUMPY)


def test_ci_runs_every_leg_without_torch_but_that_of_the_newest_python_and_one_with() -> None:
    script = _text(".ci/run")
    (light,) = re.findall(r'^light="(.*)"$', script, re.MULTILINE)
    newest = f"py{PYTHONS[-1].replace('.', '')}"
    assert _expanded(light) == (REPLAY | OLDEST_NUMPY) - {f"{newest}-replay"}
    runs = [line for line in script.splitlines() if "tox run" in line]
    assert [re.findall(r" -e (\S+)", line) for line in runs] == [['"$light"'], ["py311"], ["matrix"]]
    assert all("--skip-missing-interpreters=false" in line for line in runs), "a Python that is missing is no pass"
    assert 'GRADCONFORM_EXPECT="$light,py311"' in runs[-1] and "rm -rf reports/_build/legs" in script


def test_constraints_pin_every_dependency() -> None:
    project = _text("pyproject.toml").split("[project.scripts]")[0]
    needed = set(re.findall(r"\"([a-z-]+)(?:>=)", project)) - {"setuptools"}
    pinned = set(re.findall(r"^([a-z-]+)==", _text("constraints.txt"), re.MULTILINE))
    assert needed <= pinned and "torch" in needed


def test_readme_has_the_commands_that_ci_runs() -> None:
    readme = _text("README.md")
    command = re.search(r"<!-- test command -->\n```sh\n(.+)\n```\n<!-- end -->", readme)
    assert command is not None and "pytest" in command.group(1)
    assert "<!-- test command -->" in _text(".ci/run")


def test_files_named_in_the_documents_exist() -> None:
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", _text(name)):
            assert (ROOT / target).exists(), f"{name} points to {target}"
