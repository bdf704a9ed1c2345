"""`check`: judge a layer from Python, in this process."""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

from oracle.core.spec import LayerSpec
from oracle.outcome import Outcome
from oracle.results import Counterexample, Footer, Note, Settings, assembled
from oracle.results.model import Line, Record

if TYPE_CHECKING:
    from oracle.core.observe import Judged
    from oracle.search.entrant import Entrant

EXAMPLES = 500
DTYPES = ("float64", "float32")


def check(
    subject: Any,
    like: str | Callable[..., Any] | None = None,
    *,
    inputs: str | None = None,
    params: Sequence[str] = (),
    examples: int = EXAMPLES,
    seed: int = 0,
    dtypes: Sequence[str] = DTYPES,
    convention: str | None = None,
    not_claimed: str | Sequence[str] = (),
) -> Outcome:
    """Judge `subject` against PyTorch.

    subject: a layer class or function of yours, or an Adapter. It runs in this process: an endless loop in it is yours to stop. For code
    that is not trusted to behave use `gradconform check FILE`, which runs it in a process of its own.
    like: the layer it should be ("Relu", "Affine": see `gradconform list`), found by its name where left out; or any torch function of
    tensors, such as `torch.nn.functional.silu`. Then `inputs` describes shapes and values in one line, "x: (N, D)", and `params` names what
    the layer is built from; the allowed error is propagated through the torch function, and where that is not possible it is
    estimated, which the outcome says.
    examples, seed, dtypes: how many cases, which ones, in which of "float64", "float32", "float16".
    convention: how it is called, where that is not found out; see docs/conventions.md.
    not_claimed: what the layer does not promise: "dout", "broadcasting", "nan", "float32" ... These rows show as not claimed.

    Ctrl-C ends the search and keeps what was found by then: the outcome is incomplete, or a divergence. A KeyboardInterrupt that the layer
    itself raises cannot be told from it. SystemExit, and whatever else would end the process, counts as an error of the layer.

    Raises ValueError or TypeError where an argument means nothing: the message names it and says what there is; ImportError without torch.
    """
    from oracle.search.campaign import judge_entrant
    from oracle.search.declaration import Plan, header, now
    from oracle.search.entrant import Assignment, dismiss, hold
    from oracle.search.environment import environment

    _need_torch()
    checked(examples, seed, dtypes, convention)
    words = (not_claimed,) if isinstance(not_claimed, str) else tuple(not_claimed)
    spec, estimated = binding(subject, like, inputs, params)
    entrant, runnable = _entered(subject, spec, convention, words)
    settings = Settings(layers=(entrant.label,), examples=examples, seed=seed, dtypes=tuple(dict.fromkeys(dtypes)), workers=1)
    judged_by = _checked_claims(entrant.judged_by(), settings)
    began = time.monotonic()
    written: list[Line] = []
    head = header(Plan((entrant,), settings, environment(), f"check({entrant.label}, like={spec.name!r})", vetted=False))
    hold(Assignment(entrant, judged_by, _Contained(runnable)))
    ended: Literal["complete", "interrupted"] = "complete"
    try:
        with _progress(entrant.label, examples) as advance:
            judge_entrant(entrant, settings, None, _Written(written), advance)
    except KeyboardInterrupt:
        ended = "interrupted"
    finally:
        dismiss()
    if estimated or spec.function is not None:
        derived = "derived for every element, by balls propagated through the torch function and its gradient"
        written.append(Note(layer=entrant.label, title="allowed error", text=estimated or derived))
    written.append(Footer(finished=now(), seconds=time.monotonic() - began, outcome=ended, message=""))
    return Outcome(assembled(head, written), estimated)


def _progress(label: str, examples: int) -> AbstractContextManager[Callable[[str, int], None]]:
    """A bar on a terminal; in a script's log and in a notebook nothing."""
    from oracle.progress import progress_bar

    return progress_bar((label,), examples) if sys.stderr.isatty() else nullcontext(lambda label, n: None)


def binding(
    subject: Any, like: str | Callable[..., Any] | None, inputs: str | None = None, params: Sequence[str] = ()
) -> tuple[LayerSpec, str]:
    """The spec that `like` names or describes, and, where its allowed error is only estimated, why. Needs torch only for the latter kind.

    Raises ValueError and TypeError.
    """
    from oracle.specs import all_specs, spec_named
    from oracle.subjects.loading import LoadError
    from oracle.subjects.matching import spec_called

    _checked_subject(subject)
    if like is not None and not isinstance(like, str) and not callable(like):
        raise TypeError(f"like must be the name of a layer, a torch function or an expression, got {type(like).__name__}")
    if callable(like) or (like is not None and _is_expression(like)):
        return _described(like, inputs, params)
    if inputs is not None or params:
        raise ValueError("inputs and params describe a layer without a spec: then like must be a torch function or an expression")
    try:
        return spec_named(spec_called(like or _name(subject), tuple(all_specs()))), ""
    except LoadError as error:
        hint = "" if like else ". Say what the layer is with like"
        raise ValueError(f"like: {error}{hint}") from None


def _described(like: str | Callable[..., Any], inputs: str | None, params: Sequence[str]) -> tuple[LayerSpec, str]:
    _need_torch()
    from oracle.search.likeness import is_estimated, spec_like

    try:
        spec = spec_like(like, inputs, params=tuple(params))
    except (TypeError, ValueError):
        raise
    except Exception as error:
        raise ValueError(f"like: {like} cannot be computed: {type(error).__name__}: {error}") from error
    missing = is_estimated(spec)
    told = f"The allowed error is estimated, not derived: there is no rule for {missing}. A small divergence may be a false alarm."
    return spec, told if missing else ""


def _is_expression(text: str) -> bool:
    """Whether `text` is something to compute ("F.silu(x)", "x * y") rather than a name."""
    try:
        return not isinstance(ast.parse(text.strip(), mode="eval").body, ast.Name | ast.Constant)
    except (SyntaxError, ValueError):
        return False


class _Contained:
    """The subject, with an exception that would end this process turned into an error of its own. Ctrl-C passes."""

    def __init__(self, subject: Any) -> None:
        self.start, self.forward, self.backward = [_contained(f) for f in (subject.start, subject.forward, subject.backward)]


def _contained(call: Callable[..., Any]) -> Callable[..., Any]:
    def called(*given: Any) -> Any:
        try:
            return call(*given)
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise RuntimeError(f"the layer raised {type(error).__name__}: {error}") from error

    return called


class _Written:
    """Takes records as a results file does, and keeps them. There is no file to replay from, so no command is offered."""

    def __init__(self, records: list[Line]) -> None:
        self._records = records

    def write(self, record: Record) -> None:
        if isinstance(record, Counterexample):
            record = record.model_copy(update={"replay": ""})
        self._records.append(record)  # type: ignore[arg-type]


def _need_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise ImportError('check needs PyTorch, which is not installed. Install it with: pip install "gradconform[torch]"')


def checked(examples: int = EXAMPLES, seed: int = 0, dtypes: Sequence[str] = DTYPES, convention: str | None = None) -> None:
    """Raises ValueError where one of these arguments of `check` means nothing."""
    from oracle.subjects.conventions import CONVENTION_NAMES

    for name, value, least in (("examples", examples, 1), ("seed", seed, 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    known = (*DTYPES, "float16")
    if not isinstance(dtypes, list | tuple) or not dtypes or not all(d in known for d in dtypes):
        raise ValueError(f"dtypes must be some of {', '.join(known)}, in a tuple; got {dtypes!r}")
    if convention is not None and convention not in CONVENTION_NAMES:
        raise ValueError(f"convention: there is no {convention!r}; there are {', '.join(CONVENTION_NAMES)}")


def _checked_claims(spec: LayerSpec, settings: Settings) -> LayerSpec:
    from oracle.core.claims import ClaimError

    if not set(settings.dtypes) - spec.claims.dtypes:
        raise ClaimError(f"not_claimed leaves nothing to judge: dtypes are {', '.join(settings.dtypes)}, and none of them is claimed")
    return spec


def _checked_subject(subject: Any) -> None:
    if isinstance(subject, str | bytes) or subject is None:
        raise TypeError(f"subject must be the layer itself, got {subject!r}. For a file use: gradconform check FILE:NAME")
    if not callable(subject) and not any(hasattr(subject, name) for name in ("forward", "fprop", "fn")):
        raise TypeError(f"subject must be a layer class, a function, a layer object or an Adapter, got {type(subject).__name__}")


def _name(subject: Any) -> str:
    from oracle.subjects.adapter import Adapter

    owner = subject if isinstance(subject, type) else type(subject)
    return (subject.like if issubclass(owner, Adapter) else "") or _called(subject)


def _called(subject: Any) -> str:
    """The name of a class or function; of an object, that of its class."""
    name = getattr(subject, "__name__", None)
    return name if isinstance(name, str) and name else type(subject).__name__


def _entered(subject: Any, spec: LayerSpec, convention: str | None, words: tuple[str, ...]) -> tuple[Entrant, Judged]:
    """The entrant, and the subject behind its calling convention."""
    from oracle.search.entrant import Entrant, samples
    from oracle.search.introduce import LONGEST
    from oracle.subjects.conventions import ConventionError, connect

    name = _called(subject)
    module = sys.modules.get(str(getattr(subject, "__module__", "")))
    namespace: Mapping[str, Any] = {**getattr(subject, "__globals__", {}), **({} if module is None else vars(module)), name: subject}
    try:
        known = connect(spec.signature, name, namespace, samples(spec), convention)
        label = str(getattr(subject, "__qualname__", name)).rpartition("<locals>.")[2]
        entrant = Entrant(
            label=label if len(label) <= LONGEST else "..." + label[3 - LONGEST :],
            spec=spec.name,
            name=name,
            convention=known.convention,
            details=known.details,
            forward_only=known.forward_only,
            not_claimed=words,
            binding=spec,
        )
    except ConventionError as error:
        raise ValueError(f"subject: {error}".replace("--convention", "convention=")) from None
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        # SystemExit: nothing of the layer's may end this process
        raise ValueError(f"subject: {name} raised {type(error).__name__} when its calls were tried: {error}") from error
    return entrant, known.subject
