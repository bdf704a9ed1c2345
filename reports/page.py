"""What every page has in common: one HTML file that needs no network, no script and no second file.

A page is a template that extends `frame.html.jinja` and fills its blocks: title, brand, nav, main, foot. `parts.html.jinja` has the
macros that pages share: tile, facts, code, array, case, icon.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports import words
from reports.arrays import left_out
from reports.findings import account, anchor, elsewhere, group_anchor, headline, row_anchor
from reports.matrix import href

HERE = Path(__file__).parent
LONGEST = 20_000
"""Characters of one string; what is longer is cut in the middle, so that no single field can fill the page."""


def render(template: str, *, styles: Sequence[str] = ("report.css",), scripts: Sequence[str] = ("report.js",), **context: Any) -> str:
    """The page that `template` makes of `context`, with the named files of assets in it and a policy that allows nothing else."""
    style, script = _assets(styles), _assets(scripts)
    policy = f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    page = environment().get_template(template)
    return page.render(style=Markup(style), script=Markup(script), policy=policy, **context)


def environment() -> Environment:
    """Templates in which every string is made visible and then escaped, whether or not the template remembers to ask for it."""
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    helpers = (
        account,
        anchor,
        elsewhere,
        group_anchor,
        headline,
        href,
        left_out,
        row_anchor,
        words.count,
        words.duration,
        words.margin_text,
        words.shorten,
    )
    templates.globals.update({helper.__name__: helper for helper in helpers})
    templates.globals["states"] = words.STATES
    templates.globals["loads"] = words.LOADS
    templates.globals["outcomes"] = {"conforms": "Conforms", "diverges": "Diverges", "incomplete": "Incomplete"}
    return templates


def _finalize(value: Any) -> Any:
    """Called by Jinja on every value that a template prints, before it is escaped."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        return words.shorten(words.visible(value, lines=True), LONGEST)
    return value


def _assets(names: Sequence[str]) -> str:
    return "\n".join((HERE / "assets" / name).read_text(encoding="utf-8") for name in names)


def _digest(text: str) -> str:
    """The source expression with which a content security policy allows exactly this inline text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
