"""The plugin in processes of its own: what is not imported, missing torch, Ctrl-C, xdist."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from plugin_layers import LAYERS, ROWS


def _python(code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True)


_WATCHED = """
import sys, pytest
class Watch:
    def pytest_sessionstart(self): print("start", sorted({"torch", "hypothesis", "numpy"} & set(sys.modules)))
    def pytest_collection_finish(self): print("collected", sorted({"torch", "hypothesis"} & set(sys.modules)))
sys.exit(pytest.main(["-p", "no:cacheprovider", "--collect-only", "-q", *sys.argv[1:]], plugins=[Watch()]))
"""


def test_loading_and_collecting_import_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(f'{LAYERS}\n@pytest.mark.conforms("Relu")\nclass MyRelu(Right): pass\n')
    done = _python(_WATCHED, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "start []" in done.stdout and "collected []" in done.stdout
    assert [line.rpartition("::")[2] for line in done.stdout.splitlines() if "MyRelu::" in line] == ROWS


def test_without_torch_the_rows_fail_and_say_so(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(f'{LAYERS}\n@pytest.mark.conforms("Relu")\nclass MyRelu(Right): pass\n')
    code = "import sys; sys.modules['torch'] = None\nimport pytest; sys.exit(pytest.main(['-p', 'no:cacheprovider', '-q', *sys.argv[1:]]))"
    done = _python(code, tmp_path)
    told = [line for line in done.stdout.splitlines() if line.startswith("not judged: check needs PyTorch, which is not installed.")]
    assert done.returncode == 1 and len(told) == 6, done.stdout
    assert "Traceback" not in done.stdout


def test_an_interrupt_ends_the_session(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        f"""{LAYERS}
@pytest.mark.conforms("Relu", examples=50)
class Slow(Right):
    calls = []
    def forward(self, x):
        self.calls.append(1)
        if len(self.calls) > 60:
            raise KeyboardInterrupt
        return super().forward(x)
"""
    )
    done = _python("import sys, pytest; sys.exit(pytest.main(['-p', 'no:cacheprovider']))", tmp_path)
    assert done.returncode == pytest.ExitCode.INTERRUPTED and "passed" not in done.stdout and "failed" not in done.stdout


@pytest.mark.parametrize("mode", ["load", "loadscope", "loadgroup", "worksteal"])
def test_xdist(tmp_path: Path, mode: str) -> None:
    (tmp_path / "test_mine.py").write_text(
        f"""{LAYERS}
from oracle.pytest_plugin import parametrize_with_layers

@pytest.mark.conforms("Relu", examples=60, dtypes=("float64",))
class MyRelu(Wrong):
    pass

@parametrize_with_layers({{"Relu": Right}}, examples=100)
def test_rows(conformance):
    conformance.check()
"""
    )
    arguments = ["-p", "no:cacheprovider", "-n", "2", "--dist", mode, "-q"]
    done = _python("import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))", tmp_path, *arguments)
    assert done.returncode == 1 and "2 failed, 10 passed" in done.stdout, done.stdout + done.stderr
    assert "backward.dx is twice what torch gives" in done.stdout
