"""The oracle: a torch expression and torch.autograd, on the CPU, in one thread. The only file that imports torch."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import torch

from oracle.core.case import Array, Case
from oracle.core.evaluation import Evaluation
from oracle.core.spec import LayerSpec

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
# importing a case may hand torch an array it must not write to; we never write, so the warning says nothing
warnings.filterwarnings("ignore", message="The given NumPy array is not writable")


@functools.cache
def compiled(expression: str, names: tuple[str, ...]) -> Callable[..., Any]:
    """The function of `names` that `expression` writes; `F` is torch.nn.functional. Expressions come from specs, never from a file."""
    scope = {"torch": torch, "F": torch.nn.functional}
    function: Callable[..., Any] = eval(f"lambda {', '.join(names)}: {expression}", scope)
    return function


def evaluate(spec: LayerSpec, case: Case) -> Evaluation:
    """What torch answers: outputs, and gradients by torch.autograd.grad with the case's cotangents.

    An exception becomes its text; one in the backward leaves the outputs.
    """
    outputs: tuple[Array, ...] = ()
    try:
        tensors = {name: torch.from_numpy(a) for group in (case.inputs, case.params) for name, a in group.items()}
        leaves = [tensors[name].requires_grad_() for name in spec.wrt]
        function = spec.function or compiled(spec.expression(case.branch), tuple(tensors))
        result = function(*tensors.values())
        results = result if isinstance(result, tuple) else (result,)
        if not leaves:
            return Evaluation(tuple([y.numpy() for y in results]), (), None)
        outputs = tuple([y.detach().numpy() for y in results])
        cotangents = [torch.from_numpy(case.cotangents[name]) for name in spec.outputs if name in case.cotangents]
        roots = [y for name, y in zip(spec.outputs, results, strict=True) if name in case.cotangents]
        grads = torch.autograd.grad(roots, leaves, cotangents)
        return Evaluation(outputs, tuple([g.numpy() for g in grads]), None)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        return Evaluation(outputs, (), f"{type(error).__name__}: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
