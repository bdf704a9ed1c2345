"""Which definitions are judged, and as what."""

from __future__ import annotations

from typing import Any

import pytest

from oracle.subjects.adapter import Adapter
from oracle.subjects.loaded import Loaded, LoadError
from oracle.subjects.matching import Candidate, candidates, spec_called, wanted

SPECS = (
    "AddLayer",
    "MulLayer",
    "Relu",
    "Sigmoid",
    "Affine",
    "SoftmaxWithLoss",
    "TwoLayerNet",
    "softmax",
    "cross_entropy_error",
    "numerical_gradient",
)
UNKNOWN = "no layer of this kind is known; name one with --as"


def target(names: str, missing: dict[str, str] | None = None, **more: Any) -> Loaded:
    """A target with these definitions: classes where the name begins with a capital letter, functions otherwise."""
    made = {name: type(name, (), {}) if name[0].isupper() else lambda x: x for name in names.split()}
    return Loaded({**made, **more}, (*made, *more), missing or {}, ())


def specs_of(names: str) -> dict[str, str | None]:
    return {c.name: c.spec for c in candidates(target(names), SPECS)}


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ("AddLayer", "AddLayer add_layer Add Plus AddNode AddGate add"),
        ("MulLayer", "MulLayer Mul Multiply MulNode mul_layer multiply"),
        ("Relu", "Relu ReLU RELU relu relu_layer ReluLayer Activation_ReLU ReLUActivation relu_forward MyRelu NumpyRelu forward_relu"),
        ("Sigmoid", "Sigmoid sigmoid SigmoidLayer logistic Activation_Sigmoid sigmoid_forward"),
        (
            "Affine",
            "Affine Linear Dense FullyConnected FC Layer_Dense affine_forward LinearLayer MyLinear fully_connected_layer linear_forward",
        ),
        ("SoftmaxWithLoss", "SoftmaxWithLoss SoftmaxCrossEntropy SoftmaxCrossEntropyLoss CrossEntropyLoss softmax_loss SoftmaxLoss"),
        ("SoftmaxWithLoss", "Activation_Softmax_Loss_CategoricalCrossentropy SoftmaxWithLossLayer softmax_cross_entropy_with_logits"),
        ("TwoLayerNet", "TwoLayerNet TwoLayerNetwork two_layer_net"),
        ("softmax", "softmax Softmax Activation_Softmax my_softmax softmax_function"),
        ("cross_entropy_error", "cross_entropy_error cross_entropy cross_entropy_loss CrossEntropyError Loss_CategoricalCrossentropy"),
        ("numerical_gradient", "numerical_gradient numerical_grad num_grad eval_numerical_gradient"),
        (None, "MatMul LeakyReLU Relu6 Activation_Linear Dropout dropout BatchNorm layer Layer my func Net d x forward identity_function"),
        (None, "mean_squared_error affine_relu_forward numerical_diff LogSoftmax Network"),
    ],
)
def test_names_and_what_they_speak_of(spec: str | None, names: str) -> None:
    assert specs_of(names) == dict.fromkeys(names.split(), spec)


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        ("relu_forward", "relu_backward"),
        ("relu", "relu_backward"),
        ("sigmoid", "sigmoid_prime"),
        ("sigmoid", "sigmoid_derivative"),
        ("sigmoid", "sigmoid_grad"),
        ("sigmoid", "d_sigmoid"),
        ("relu", "drelu"),
        ("relu", "grad_relu"),
        ("relu", "derivative_of_relu"),
        ("affine_fwd", "affine_bwd"),
        ("forward_affine", "backward_affine"),
    ],
)
def test_a_gradient_belongs_to_its_function(forward: str, backward: str) -> None:
    first, second = candidates(target(f"{forward} {backward}"), SPECS)
    assert first.spec in ("Relu", "Sigmoid", "Affine") and first.why.endswith(f", with {backward}")
    assert second == Candidate(backward, None, f"partner of {forward}")


def test_what_is_said_of_each() -> None:
    found = target("Relu Linear relu_backward Sigmoid sigmoid_prime swish", {"affine_backward": "affine_backward needs `np`"}, affine=len)
    assert candidates(found, SPECS) == [
        Candidate("Relu", "Relu", "its name"),
        Candidate("Linear", "Affine", "Linear is another name of Affine"),
        Candidate("relu_backward", None, "the gradient of Relu, whose forward function is not there"),
        Candidate("Sigmoid", "Sigmoid", "its name"),
        Candidate("sigmoid_prime", None, "the gradient of Sigmoid, whose forward function is not there"),
        Candidate("swish", None, UNKNOWN),
        Candidate("affine", "Affine", "its name; its gradient is missing: affine_backward needs `np`"),
    ]


def test_specs_that_are_not_handed_in_are_not_found() -> None:
    assert [c.spec for c in candidates(target("Relu Linear CrossEntropyLoss softmax"), ("softmax",))] == [None, None, None, "softmax"]


def test_an_adapter_says_itself_what_it_is_like() -> None:
    class MyDense(Adapter):
        like = "linear"

    class Odd(Adapter):
        like = "conv"

    class Further(MyDense):
        like = ""

    found = candidates(target("", MyDense=MyDense, Odd=Odd, Relu=Further), SPECS)
    assert found[0] == Candidate("MyDense", "Affine", "an Adapter like linear")
    assert [c.spec for c in found] == ["Affine", None, None]
    assert "no layer is called 'conv'; there are AddLayer" in found[1].why and "without `like`" in found[2].why


@pytest.mark.parametrize(
    ("given", "spec"), [("affine", "Affine"), ("LINEAR", "Affine"), ("soft_max_with_loss", "SoftmaxWithLoss"), ("relu_forward", "Relu")]
)
def test_as_takes_any_spelling(given: str, spec: str) -> None:
    assert spec_called(given, SPECS) == spec
    assert wanted(target("Thing"), "Thing", given, SPECS) == [Candidate("Thing", spec, "as asked")]


def test_an_unknown_spec_is_refused_with_those_there_are() -> None:
    with pytest.raises(LoadError, match="no layer is called 'afine'; there are AddLayer, .*numerical_gradient; did you mean Affine?"):
        wanted(target("Thing"), None, "afine", SPECS)


def test_without_a_name_everything_is_a_candidate() -> None:
    found = target("Relu ReLU2 ReLU relu")
    assert wanted(found, None, None, SPECS) == candidates(found, SPECS)
    assert [c.spec for c in candidates(found, SPECS)] == ["Relu", None, "Relu", "Relu"]
    with pytest.raises(LoadError, match="no public class or function in it that could be judged: A needs `b`"):
        wanted(target("", {"A": "A needs `b`"}), None, None, SPECS)


@pytest.mark.parametrize(
    ("names", "judged"),
    [
        ("Layer helper other", ["Layer"]),
        ("Relu", ["Relu"]),
        ("layer", ["layer"]),
        ("forward backward", ["forward"]),
        ("Relu Affine Linear Sigmoid", ["Affine", "Linear"]),
        ("Net Other affine_forward affine_backward", ["affine_forward"]),
    ],
)
def test_as_without_a_name_takes_what_is_called_so_or_the_only_one(names: str, judged: list[str]) -> None:
    found = wanted(target(names), None, "Affine", SPECS)
    assert [c.name for c in found] == judged and {c.spec for c in found} == {"Affine"} and all(c.why.startswith("as asked") for c in found)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (target("Foo Bar baz"), "which one is to be judged as Affine? Add its name to the target, as in :Foo; there are Foo, Bar, baz"),
        (target("foo bar"), "which one is to be judged as Affine?"),
        (target(""), "there is no public class or function"),
        (target("Relu", {"Linear": "Linear needs `np`, which no cell defines"}), "Linear needs `np`, which no cell defines"),
    ],
)
def test_as_without_a_name_does_not_guess(found: Loaded, said: str) -> None:
    with pytest.raises(LoadError) as error:
        wanted(found, None, "Affine", SPECS)
    assert said in str(error.value)


def test_a_named_one_is_taken_even_if_it_is_hidden_or_within_another() -> None:
    class Outer:
        class Relu:
            pass

    found = target("_hidden", Outer=Outer)
    assert wanted(found, "Outer.Relu", None, SPECS) == [Candidate("Outer.Relu", "Relu", "its name")]
    assert wanted(found, "_hidden", None, SPECS) == [Candidate("_hidden", None, UNKNOWN)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Afine", "there is no 'Afine' in it; did you mean Affine?"),
        ("Zzz", "there is no 'Zzz' in it; there are Affine, Outer"),
        ("Outer.iner", "Outer has no 'iner'; did you mean inner?"),
        ("Outer.inner.x", "Outer.inner has no 'x'"),
        ("Outer.inner", "Outer.inner is neither a class nor a function but of type int"),
        ("Lost", "Lost needs `np`, which no cell defines"),
        ("Lost.inner", "Lost needs `np`, which no cell defines"),
    ],
)
def test_a_named_one_that_is_not_there(name: str, said: str) -> None:
    found = target("Affine", {"Lost": "Lost needs `np`, which no cell defines"}, Outer=type("Outer", (), {"inner": 3}))
    with pytest.raises(LoadError) as error:
        wanted(found, name, "Affine", SPECS)
    assert said in str(error.value)
