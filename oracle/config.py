"""`[tool.gradconform]` of the nearest pyproject.toml, or a gradconform.toml: what is not claimed, and what a gate holds layers to."""

from __future__ import annotations

import datetime
import fnmatch
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from oracle.results import Gate, Known

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "pyproject.toml"
OWN_FILE = "gradconform.toml"
KEYS = {
    "layers": 'a list of our layers, and of targets such as "layers.py:MyDense"; paths start from the folder of this file',
    "dtypes": "a list of float64, float32, float16",
    "examples": "the number of cases for each layer, from 1",
    "seed": "a whole number from 0; without one, every gate draws a fresh seed and records it",
    "floor": "the number of cases that every layer, branch and dtype must have judged",
    "corpus": "the folder of stored cases; its path starts from the folder of this file",
    "planted": "true or false: whether deliberately broken layers are judged as well",
    "not_claimed": "a list of words",
    "subjects": "a table by target, of not_claimed (a list of words), as (a layer of ours) and convention",
    "known": "tables with layer, branch, quantity or contract, reason, and if wanted dtype, link and expires (a date, unquoted)",
}
"""Every key, and what it may hold."""

Whole = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
Positive = Annotated[int, Field(strict=True, ge=1, le=100_000_000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Words = tuple[Annotated[str, Field(max_length=200)], ...]


class ConfigError(Exception):
    """A configuration that cannot be used: which file, which key, and what it may hold."""


class Claiming(BaseModel):
    """What is said of the subjects of one name. like: the layer of ours that they are judged as (`as`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    not_claimed: Words = ()
    like: Name | None = Field(None, alias="as")
    convention: Name | None = None


class Listed(BaseModel):
    """An entry of the list of known divergences. A contract is named as `contract` or as `quantity`; both are rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    layer: Name
    branch: Name
    quantity: Name | None = None
    contract: Name | None = None
    dtype: Annotated[str, Field(max_length=200)] = ""
    reason: Annotated[str, Field(max_length=20_000)]
    link: Annotated[str, Field(max_length=2_000)] = ""
    expires: Annotated[datetime.date, Field(strict=True)] | None = None

    @field_validator("reason")
    @classmethod
    def _says_why(cls, reason: str) -> str:
        if not reason.strip():
            raise ValueError("say why it is accepted")
        return reason

    @field_validator("link")
    @classmethod
    def _is_address(cls, link: str) -> str:
        if link and not link.startswith(("https://", "http://")):
            raise ValueError("a link begins with https:// or http://")
        return link

    @model_validator(mode="after")
    def _names_one_row(self) -> Listed:
        if (self.quantity is None) == (self.contract is None):
            raise ValueError("name either a quantity or a contract")
        return self

    def known(self) -> Known:
        """The entry as a run records it."""
        return Known(
            layer=self.layer,
            branch=self.branch,
            quantity=self.quantity or self.contract or "",
            dtype=self.dtype,
            reason=self.reason,
            link=self.link,
            expires="" if self.expires is None else self.expires.isoformat(),
        )


class Config(BaseModel):
    """The table. `subjects` maps a target, or a pattern such as "submissions/*.py", to what is said of it; see docs/gate.md.

    [tool.gradconform]
    layers = ["layers.py:Relu"]
    not_claimed = ["dout"]

    [tool.gradconform.subjects."layers.py:Relu"]
    not_claimed = ["nan"]
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    layers: tuple[Name, ...] = ()
    dtypes: tuple[Literal["float64", "float32", "float16"], ...] = ()
    examples: Positive | None = None
    seed: Whole | None = None
    floor: Whole = 0
    corpus: Name | None = None
    planted: Annotated[bool, Field(strict=True)] = True
    not_claimed: Words = ()
    subjects: dict[str, Claiming] = Field(default_factory=dict)
    known: tuple[Listed, ...] = ()

    @field_validator("known")
    @classmethod
    def _lists_once(cls, known: tuple[Listed, ...]) -> tuple[Listed, ...]:
        rows = Counter((e.layer, e.branch, e.quantity or e.contract, e.dtype) for e in known)
        twice = next((" ".join(filter(None, row)) for row, n in rows.items() if n > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} is listed twice")
        return known

    def not_claimed_by(self, target: str) -> tuple[str, ...]:
        """What `target`, as it was written, does not claim."""
        return (*self.not_claimed, *(word for part in self._said_of(target) for word in part.not_claimed))

    def like(self, target: str) -> str | None:
        """The layer of ours that `target` is judged as, where that is said."""
        return next((part.like for part in self._said_of(target) if part.like), None)

    def convention(self, target: str) -> str | None:
        """How `target` is called, where that is said."""
        return next((part.convention for part in self._said_of(target) if part.convention), None)

    def _said_of(self, target: str) -> list[Claiming]:
        return [part for pattern, part in self.subjects.items() if fnmatch.fnmatchcase(target, pattern)]

    def gate(self, source: str) -> Gate:
        """What a run is held to, as the run records it."""
        return Gate(known=tuple(entry.known() for entry in self.known), floor=self.floor, source=source)


class Found(NamedTuple):
    """A configuration and the file that it is from; None where there is no table at all."""

    config: Config
    path: Path | None


def read_config(start: Path) -> Config:
    """The configuration that holds in the folder `start`; an empty one where there is none. Raises ConfigError."""
    return find_config(start).config


def find_config(start: Path) -> Found:
    """The table of the nearest folder upwards from `start` that has a pyproject.toml or a gradconform.toml, and its file.

    Raises ConfigError.
    """
    for folder in (start, *start.parents):
        project, own = folder / FILE, folder / OWN_FILE
        if not (project.is_file() or own.is_file()):
            continue
        table = _table(project) if project.is_file() else None
        if own.is_file():
            if table is not None:
                raise ConfigError(f"{project} has [tool.gradconform], and there is {own} as well: keep one of them.")
            return Found(_checked(_loaded(own), own, ()), own)
        return Found(Config(), None) if table is None else Found(_checked(table, project, ("tool", "gradconform")), project)
    return Found(Config(), None)


def _table(path: Path) -> Any:
    """The table in a pyproject.toml; None where it has none."""
    tools = _loaded(path).get("tool", {})
    if not isinstance(tools, dict):
        raise ConfigError(f"{path}: tool must be a table, got {tools!r}")
    return tools.get("gradconform")


def _loaded(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"cannot read {path}: {_seen(str(error))}") from error


def _checked(table: Any, path: Path, above: tuple[str, ...]) -> Config:
    if not isinstance(table, dict):
        raise ConfigError(f"{path}, {'.'.join(above)}: it must be a table. There may be {', '.join(KEYS)} in it.")
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        where = _seen(".".join([*above, *map(str, first["loc"])]))
        holds = f"{key} may hold {KEYS[key]}" if key in KEYS else f"There may be {', '.join(KEYS)} in it"
        told = _seen(first["msg"].removeprefix("Value error, "))
        raise ConfigError(f"{path}{', ' if where else ''}{where}: {told}. {holds}.") from error


def _seen(text: str) -> str:
    """`text` with what a terminal would obey written as an escape, and not too long to be read."""
    short = text if len(text) <= 500 else f"{text[:500]}..."
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in short)
