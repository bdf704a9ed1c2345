"""`[tool.gradconform]` of the nearest pyproject.toml: what subjects do not claim, said once instead of on every command line."""

from __future__ import annotations

import fnmatch
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "pyproject.toml"


class ConfigError(Exception):
    """A configuration that cannot be used: which file, which key, and what it may hold."""


class Claiming(BaseModel):
    """What subjects of one name do not claim."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    not_claimed: tuple[str, ...] = ()


class Config(BaseModel):
    """The table. `subjects` maps a target, or a pattern such as "submissions/*.py", to what it does not claim besides.

    [tool.gradconform]
    not_claimed = ["dout"]

    [tool.gradconform.subjects."layers.py:Relu"]
    not_claimed = ["nan"]
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    not_claimed: tuple[str, ...] = ()
    subjects: dict[str, Claiming] = Field(default_factory=dict)

    def not_claimed_by(self, target: str) -> tuple[str, ...]:
        """What `target`, as it was written, does not claim."""
        own = [word for pattern, part in self.subjects.items() if fnmatch.fnmatchcase(target, pattern) for word in part.not_claimed]
        return (*self.not_claimed, *own)


def read_config(start: Path) -> Config:
    """The configuration that holds in the folder `start`: of the nearest pyproject.toml upwards; an empty one where there is none.

    Raises ConfigError.
    """
    path = next((folder / FILE for folder in (start, *start.parents) if (folder / FILE).is_file()), None)
    if path is None:
        return Config()
    try:
        tools = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
        if not isinstance(tools, dict):
            raise ConfigError(f"{path}: tool must be a table, got {tools!r}")
        return Config.model_validate(tools.get("gradconform", {}))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(["tool", "gradconform", *map(str, first["loc"])])
        raise ConfigError(f"{path}, {where}: {first['msg']}. It may hold not_claimed (a list of words) and subjects.") from error
