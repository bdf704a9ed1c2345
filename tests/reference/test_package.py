"""What the package offers, and what it must not load."""

import subprocess
import sys

import reference

PUBLIC = [
    "AddLayer",
    "Affine",
    "MulLayer",
    "Relu",
    "Sigmoid",
    "SoftmaxWithLoss",
    "TwoLayerNet",
    "cross_entropy_error",
    "numerical_gradient",
    "softmax",
]


def test_the_notebooks_names_are_public() -> None:
    assert set(PUBLIC) <= set(reference.__all__)


def test_every_public_name_is_defined_in_a_public_module_and_documented() -> None:
    for name in reference.__all__:
        value = getattr(reference, name)
        module = value.__module__.rpartition(".")[2]
        assert value.__module__.startswith("reference.") and not module.startswith("_"), name
        assert value.__doc__, name


def test_import_loads_no_torch() -> None:
    code = "import sys, reference; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
