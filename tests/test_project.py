"""What the project says of itself: import rules, versions named alike everywhere, commands of the README."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _text(name: str) -> str:
    return (ROOT / name).read_text()


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


def test_supported_pythons_are_declared_alike() -> None:
    classifiers = set(re.findall(r"Python :: (3\.\d+)\"", _text("pyproject.toml")))
    environments = {f"3.{minor}" for minor in re.findall(r"\bpy3(\d+)\b", _text("tox.ini").split("[testenv]")[0])}
    oldest = min(classifiers, key=lambda version: int(version.split(".")[1]))
    assert classifiers == environments
    assert f'requires-python = ">={oldest}"' in _text("pyproject.toml")
    assert f"Python {oldest} or later" in _text("README.md")


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
