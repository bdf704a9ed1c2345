"""The GitHub action and the examples of the docs: every command is understood, no input becomes one, and the steps run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from oracle.cli import main

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
ACTION = ROOT / "action.yml"
WORKFLOW = ROOT / "docs" / "workflow-example.yml"
DOC = ROOT / "docs" / "ci.md"
PYTHONS = [
    line.rpartition(" ")[2]
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    if re.search(r":: 3\.\d+$", line)
]


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def steps() -> dict[str, dict[str, Any]]:
    return {step.get("id", step["name"]): step for step in loaded(ACTION)["runs"]["steps"]}


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOC.read_text(), re.S | re.M)


GITLAB = yaml.safe_load(next(text for text in fenced("yaml") if "stages:" in text))


def command_lines() -> list[str]:
    """Every call of gradconform in action, workflow and docs, its lines joined."""
    scripts = [step["run"] for step in steps().values() if "run" in step]
    scripts += [line for job in ("judge", "merge") for line in GITLAB[job]["script"]] + fenced("sh")
    joined = "\n".join(scripts).replace("\\\n", " ")
    return [found.strip() for found in re.findall(r"^\s*(gradconform .*?)(?: \|\| .*| > .*|$)", joined, re.M)]


@pytest.mark.parametrize("line", command_lines())
@pytest.mark.parametrize("words", ["run", "run --gate a.py:Relu", "check a.py b.ipynb"])
def test_every_command_line_is_understood(line: str, words: str) -> None:
    for array, value in (("command", words), ("args", "--seed 7"), ("legs", "a/results.jsonl b/results.jsonl")):
        line = line.replace(f'"${{{array}[@]}}"', value)
    line = re.sub(r'"?\$[A-Za-z_{][^\s"]*"?', "x", line)
    arguments = shlex.split(line)[1:]
    if "merge" in arguments and "--seed" in arguments:
        arguments = arguments[: arguments.index("--seed")]
    context = main.make_context("gradconform", arguments)
    name, command, rest = main.resolve_command(context, [*context._protected_args, *context.args])
    assert isinstance(command, click.Command)
    command.make_context(name, list(rest), parent=context)


def test_there_are_command_lines_to_try() -> None:
    found = command_lines()
    assert len(found) == 5
    assert {line.split()[1] for line in found} == {'"${command[@]}"', "merge", "run", "report"}


def test_no_input_is_pasted_into_a_script() -> None:
    for name, step in steps().items():
        if "run" in step:
            assert "${{" not in step["run"], f"{name}: pass it through env"
            assert step["shell"] == "bash"


def test_every_input_is_used_and_every_expression_names_one() -> None:
    action = loaded(ACTION)
    text = ACTION.read_text()
    used = set(re.findall(r"inputs\.([\w-]+)", text))
    assert used == set(action["inputs"])
    assert set(re.findall(r"steps\.([\w-]+)\.", text)) <= {step.get("id") for step in action["runs"]["steps"]}
    assert all(entry["description"] for entry in action["inputs"].values())
    for step in action["runs"]["steps"]:
        for name, value in step.get("env", {}).items():
            assert (value.startswith("${{") and f"${name}" in step["run"].replace("{", "")) or f'"{name}"' in step["run"], name


def test_the_workflow_gives_inputs_that_there_are() -> None:
    inputs = loaded(ACTION)["inputs"]
    for job in loaded(WORKFLOW)["jobs"].values():
        for step in job["steps"]:
            if "gradconform" in step["uses"]:
                assert set(step["with"]) <= set(inputs)
    (example,) = (yaml.safe_load(text) for text in fenced("yaml") if "uses:" in text)
    assert set(example[0]["with"]) <= set(inputs)
    documented = {name for row in re.findall(r"^\| (`[^|]*) \|", DOC.read_text(), re.M) for name in re.findall(r"`([\w-]+)`", row)}
    assert set(inputs) <= documented


def test_the_matrices_are_the_pythons_of_the_project() -> None:
    labels = ",".join(f"py{python.replace('.', '')}" for python in PYTHONS)
    jobs = loaded(WORKFLOW)["jobs"]
    legs = jobs["judge"]["strategy"]["matrix"]["include"]
    assert [leg["python"] for leg in legs] == PYTHONS == GITLAB["judge"]["parallel"]["matrix"][0]["PYTHON"]
    assert ",".join(leg["label"] for leg in legs) == labels == jobs["merge"]["steps"][-1]["with"]["expect"]
    assert any(f"--expect {labels} " in line for line in GITLAB["merge"]["script"])
    assert jobs["judge"]["strategy"]["fail-fast"] is False and jobs["merge"]["needs"] == "judge" and "cancelled" in jobs["merge"]["if"]


def test_what_is_kept_does_not_begin_with_a_dot() -> None:
    assert not loaded(ACTION)["inputs"]["out"]["default"].startswith(".")


class Job:
    """A job on GitHub as far as a shell goes: the runner's files, and the steps' scripts run as it runs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.summary, self.output = folder / "summary.md", folder / "output"
        self.output.touch()

    def run(self, step: str, **given: str) -> subprocess.CompletedProcess[str]:
        action = loaded(ACTION)
        env = {name: action["inputs"].get(name.lower(), {"default": ""})["default"] for name in steps()[step]["env"]}
        script = self.folder / "step.sh"
        script.write_text(steps()[step]["run"])
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        runner = {"GITHUB_STEP_SUMMARY": str(self.summary), "GITHUB_OUTPUT": str(self.output), "GITHUB_WORKSPACE": str(self.folder)}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        whole = {**os.environ, "PATH": path, **runner, **env, **given}
        return subprocess.run(shell, cwd=self.folder, env=whole, capture_output=True, text=True, timeout=300)

    @property
    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.output.read_text().splitlines())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "layers.py").write_text(
        "import numpy as np\n\n\nclass Relu:\n"
        "    def forward(self, x):\n        self.x = x\n        return np.where(x <= 0, np.zeros_like(x), x)\n\n"
        "    def backward(self, dout):\n        return dout * 2\n"
    )
    return Job(tmp_path)


def test_judging_writes_everything_and_leaves_the_failing_to_the_last_step(job: Job) -> None:
    (job.folder / "layers.py").rename(job.folder / "my layers.py")
    done = job.run("judge", TARGETS="'my layers.py:Relu'", ARGS="--examples 120 --dtype 'float64'", LABEL="py399", OUT="a report")
    assert done.returncode == 0, done.stderr
    assert job.outputs == {"exit-code": "1", "verdict": "diverges"}
    kept = {path.name for path in (job.folder / "a report").iterdir() if not path.name.startswith(".")}
    assert {"results.jsonl", "index.html", "junit.xml", "badge.svg"} <= kept
    assert job.summary.read_text().startswith("## gradconform: diverges (py399)")
    assert re.search(r"^::error file=my layers\.py,line=4,title=my layers\.py%3ARelu ", done.stdout, re.M)
    assert job.run("End as the verdict says", CODE=job.outputs["exit-code"]).returncode == 1


def test_nothing_of_an_input_is_run(job: Job) -> None:
    trap = '$(touch "$PWD/trapped"); `touch trapped`; "; touch trapped; echo "'
    job.run("judge", TARGETS=trap.replace('"', "'"), ARGS="--examples 5", OUT=f"out {trap}")
    job.run("judge", TARGETS="layers.py", ARGS=f"--examples 5 '{trap}'", LABEL=trap)
    job.run("merge", LEGS=f"{job.folder}/{trap}", EXPECT=trap, OUT=trap)
    assert not (job.folder / "trapped").exists()


def test_a_quotation_mark_too_few_is_an_error(job: Job) -> None:
    done = job.run("judge", TARGETS="layers.py", ARGS="--examples '120")
    assert done.returncode != 0 and "No closing quotation" in done.stderr


def test_wrong_usage_is_an_error_in_the_end(job: Job) -> None:
    assert job.run("judge", TARGETS="nowhere.py").returncode == 0
    assert job.outputs == {"exit-code": "2", "verdict": "error"}
    assert job.run("End as the verdict says", CODE="2").returncode == 2


def test_a_merge_finds_out_what_is_missing(job: Job) -> None:
    legs = job.folder / "legs"
    assert job.run("merge", LEGS=str(legs), EXPECT="py310").returncode == 0
    assert job.outputs == {"exit-code": "3", "verdict": "incomplete"}
    for label in ("py310", "py311"):
        out = legs / f"gradconform-{label}"
        assert (
            job.run("judge", TARGETS="", ARGS="Relu --examples 500 --dtype float64 --workers 1", LABEL=label, OUT=str(out)).returncode == 0
        )
        assert job.outputs["verdict"] == "conforms"
    for expect, code in (("py310,py311", "0"), ("py310,py311,py312", "3")):
        done = job.run("merge", LEGS=str(legs), EXPECT=expect, OUT="merged")
        assert job.outputs["exit-code"] == code, done.stdout + done.stderr
    assert "py312" in job.summary.read_text().rpartition("<pre>")[2]
    assert (job.folder / "merged" / "legs.html").is_file()
