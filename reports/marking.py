"""Foreign text in Markdown: shown as it is, never obeyed, and nobody is notified by it."""

from __future__ import annotations

import html
import re

from reports.words import shorten, visible

# What starts something within a line: emphasis, code, links, HTML, table cells, strikethrough, formulas, escapes.
_ACTIVE = re.compile(r"[\\`*\[\]<>&|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
# What a forge makes a link of, or a notification, once the text is on the page: an empty comment keeps the two halves apart.
_JOINED = re.compile(r"@|#(?=\d)|:(?=//|[\w+-]+:)|(?i:www\.|gh-(?=\d))")
_URL = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9\-._~/?#@!$&+,;=%:]*")
LONGEST = 600
"""Characters of one string."""
LONGEST_URL = 2000


def inline(text: str, limit: int = LONGEST) -> str:
    """`text` on one line, every character of it literal wherever it is put into a paragraph or a table."""
    line = shorten(visible(" ".join(text.split())), limit)
    return _ACTIVE.sub(lambda found: f"&#{ord(found[0])};", _JOINED.sub(lambda found: f"{found[0]}\0", line)).replace("\0", "<!-- -->")


def code(text: str, limit: int = LONGEST) -> str:
    """The same as code; a span in backticks could be closed by what it holds."""
    return f"<code>{inline(text, limit)}</code>"


def block(text: str, limit: int) -> str:
    """`text` as a block of code, its lines kept."""
    return f"<pre><code>{html.escape(shorten(visible(text.strip(), lines=True), limit))}</code></pre>"


def link(text: str, url: str) -> str:
    """`text`, leading to `url` where that is a plain web address; any other is shown beside it."""
    if is_web(url):
        return f'<a href="{html.escape(url)}">{inline(text)}</a>'
    return inline(f"{text} ({url})") if url else inline(text)


def is_web(url: str) -> bool:
    """Whether `url` is a web address without anything in it that would have to be escaped twice."""
    return len(url) <= LONGEST_URL and _URL.fullmatch(url) is not None
