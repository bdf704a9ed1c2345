"""What a layer is judged against: one frozen record per layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from oracle.core.ball import Ball, Precision
from oracle.core.case import LAYOUTS, PROTOCOLS, Case
from oracle.core.claims import EVERYTHING, Claims

if TYPE_CHECKING:
    from oracle.core.draw import Draw

Bounds = Callable[[Precision, Case], dict[str, Ball]]


class Signature(NamedTuple):
    """All that a calling convention has to know of a spec: names, in the order of the layer's own arguments and results.

    params: what the layer is built from. outputs: the forward results. wrt: the arrays that have a gradient; empty where no
    gradient is asked for.
    """

    name: str
    convention: str
    params: tuple[str, ...]
    outputs: tuple[str, ...]
    wrt: tuple[str, ...]


@dataclass(frozen=True)
class Refusal:
    """A bad input: `spoil` turns a good case into one that torch raises on, in the named branches (all, when empty)."""

    id: str
    spoil: Callable[[Case, Draw], Case]
    branches: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayerSpec:
    """The binding of a layer to its oracle.

    layer: the class or function of ours; a user's own is judged in its place.
    convention: how it is called; a name in `oracle.subjects`.
    torch: the torch expression it must equal, over the names of inputs and params, with `F` and `torch` in scope; a mapping where
        branches differ. The same text runs as the oracle and is shown in the report.
    cases: draws the arrays of one case of a branch.
    params: names of what the layer is built from.
    outputs, wrt: names of the forward results, and of the arrays that have a gradient, in the order of the layer's own results.
    bounds: the formula in balls, forward and gradient: one ball for every quantity.
    other_form: by branch, the same question put in another form (index labels as one-hot), which must have the same answer.
    claims: what the subject promises, where it does not promise everything; see `oracle.core.claims`.
    vacuous: contracts that its calling convention cannot break, so that they are not counted as kept.
    check_version: raised whenever the meaning of a row changes: its bound, its cases or its oracle.
    function: runs in place of the expression where `torch` is no more than its name: a user's own torch function.
    """

    name: str
    layer: Any
    convention: str
    torch: str | Mapping[str, str]
    cases: Callable[[Draw, str], Case]
    outputs: tuple[str, ...]
    wrt: tuple[str, ...]
    branches: tuple[str, ...]
    bounds: Bounds
    summary: str
    params: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    other_form: Mapping[str, Callable[[Case], Case | None]] = field(default_factory=dict)
    protocols: tuple[str, ...] = PROTOCOLS
    layouts: tuple[str, ...] = tuple(LAYOUTS)
    vacuous: tuple[str, ...] = ()
    claims: Claims = EVERYTHING
    check_version: int = 1
    dtypes: tuple[str, ...] = field(default=("float64", "float32", "float16"))
    function: Callable[..., Any] | None = None

    @cached_property
    def signature(self) -> Signature:
        """The names that a calling convention needs; plain data, for a subject in another process."""
        return Signature(self.name, self.convention, self.params, self.outputs, self.wrt)

    @cached_property
    def forward_names(self) -> tuple[str, ...]:
        return tuple(f"forward.{name}" for name in self.outputs)

    @cached_property
    def backward_names(self) -> tuple[str, ...]:
        return tuple(f"backward.d{name}" for name in self.wrt)

    @cached_property
    def quantities(self) -> tuple[str, ...]:
        """Everything that is compared with torch, in order."""
        return self.forward_names + self.backward_names

    def protocols_of(self, branch: str) -> tuple[str, ...]:
        """The ways in which a layer object is used in `branch`."""
        return (*self.protocols, "other-form") if branch in self.other_form else self.protocols

    def expression(self, branch: str) -> str:
        """The torch expression of `branch`."""
        return self.torch if isinstance(self.torch, str) else self.torch[branch]
