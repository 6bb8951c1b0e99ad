"""The page that a browser gets for an exception while an application is developed."""

from __future__ import annotations

import linecache
import re
from typing import TYPE_CHECKING

from cello._kernel import Response, _page
from cello._problem import printable, sendable
from cello.errors import HTTPError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from cello._kernel import Request
    from cello._trace import Frame, Told

__all__ = ["page"]

#: Lines of source before and after the one that failed.
_AROUND = 5
#: Of a longer line, or value of a header field, the beginning is shown.
_CHARACTERS = 500

#: Header fields whose values are nobody's to see, not even over a shoulder.
_SECRET = re.compile(r"auth|cookie|credential|csrf|key|passw|secret|session|signature|token|xsrf")


def page(request: Request, error: BaseException, words: str, told: list[Told | str]) -> Response:
    """What failed, the trace with the failing line on top, and the request, without its secrets."""
    answer = error if isinstance(error, HTTPError) else HTTPError(500)
    sections = "".join([*_members(answer.extensions), *_chain(told), *_fields(request.headers.items())])
    html, fields = _page(request, answer.status, sendable(words), printable(sections))
    return Response.text(html, status=answer.status, headers=[*answer.headers, *fields])


def _members(extensions: dict[str, Any]) -> Iterator[str]:
    import json

    for name, value in extensions.items():
        shown = sendable(json.dumps(value, indent=2, ensure_ascii=False, default=str))
        yield f"<h2>{_text(name)}</h2><pre><span>{_text(shown)}</span></pre>"


def _chain(told: list[Told | str]) -> Iterator[str]:
    for index, link in enumerate(reversed(told)):
        if index:
            yield '<p class="faint">which came of</p>'
        yield f'<p class="faint">{_text(link)}</p>' if isinstance(link, str) else _exception(link)


def _exception(told: Told) -> str:
    parts = [f"<section><h2>{_text(sendable(told.words))}</h2>"]
    for step in reversed(told.steps):
        parts.append(f'<p class="faint">{_text(step)}</p>' if isinstance(step, str) else _frame(step))
    for place, member in told.members:
        parts += [f'<p class="faint">{_text(place)}</p>', *_chain(member)]
    return "".join([*parts, "</section>"])


def _frame(frame: Frame) -> str:
    linecache.checkcache(frame.path)
    lines: list[str] = []
    for number, text in frame.source(_AROUND):
        tag = "mark" if number == frame.line else "span"
        lines.append(f"<{tag}>{number:>5}  {_text(text.expandtabs(4)[:_CHARACTERS])}</{tag}>")
    source = f"<pre>{''.join(lines)}</pre>" if lines else ""
    return f"<p><code>{_text(frame.path)}:{frame.line}</code> in <code>{_text(frame.name)}</code></p>{source}"


def _fields(fields: list[tuple[str, str]]) -> Iterator[str]:
    yield "<h2>Header fields of the request</h2><table>"
    for name, value in fields:
        # A browser sends UTF-8 where anything is beyond ASCII.
        shown = _shown(name, value.encode("latin-1").decode(errors="replace"))
        yield f"<tr><th>{_text(name)}</th><td>{_text(shown)}</td></tr>"
    yield "</table>"


def _shown(name: str, value: str) -> str:
    if _SECRET.search(name):
        return "•••"
    if name == "referer" and "?" in value:
        value = f"{value.partition('?')[0]}?…"
    return value if len(value) <= _CHARACTERS else f"{value[:_CHARACTERS]}…"


def _text(text: str) -> str:
    from html import escape

    return escape(text)
