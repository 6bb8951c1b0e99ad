"""What is not to be shown: by the names of values, and by their form in texts.

All of it takes time linear in what it is given, and gives what JSON has, whatever it is given.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NAMES", "REDACTED", "Redaction", "normalized"]

#: What stands in place of a value.
REDACTED = "[redacted]"

#: The names of values that are never shown; so is every name that ends with one of these, as `client_secret` does.
NAMES = (
    *("password", "passwords", "passwd", "pwd", "passphrase", "secret", "secrets", "credential", "credentials"),
    *("token", "api_key", "access_key", "private_key", "authorization", "cookie", "cookies", "jwt"),
)

#: Whose values are of several words: the rest of the line.
_OF_SEVERAL_WORDS = ("authorization", "cookie", "cookies")

#: `Bearer mF_9.B5f-4.1JqM`, and its like.
_SCHEMES = ("bearer", "basic", "digest", "negotiate")
_SCHEME = re.compile(rf"\b({'|'.join(_SCHEMES)})([ \t]+)([\w.~+/=-]+)", re.IGNORECASE)
#: The password in `postgres://user:password@host`.
_USER_INFORMATION = re.compile(r"(://[^\s/:@]*:)(?!\[redacted\]@)[^\s/@]+@")

_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_WORD = re.compile(r"[\W_]+")


class Redaction:
    """Says which values are not to be shown: those of the names in `NAMES`, and of further ones.

    A name is compared in lower case, and `apiKey`, `api-key` and `API_KEY` are one.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        words = dict.fromkeys(normalized(name) for name in (*NAMES, *names))
        words.pop("", None)
        self._ends = tuple({f"_{form}" for word in words for form in (word, word.replace("_", ""))})
        self._joined = {word.replace("_", "") for word in words}
        self._pairs = _pairs(words)
        # To search for these is ten times as fast as the pattern, and most texts have none.
        self._stems = _least({max(word.split("_"), key=len) for word in words})
        # Names may be a client's, so that what is kept of them has an end.
        self.is_secret = lru_cache(maxsize=1024)(self._is_secret)

    def _is_secret(self, name: str) -> bool:
        """Whether the value of that name is not to be shown."""
        word = f"_{normalized(name)}"
        return word.endswith(self._ends) or word.replace("_", "") in self._joined

    def text(self, text: str) -> str:
        """The text without what it shows by its form: `name=value`, `"name": "value"`, `Bearer …`, `://user:…@`."""
        if "://" in text:
            text = _USER_INFORMATION.sub(rf"\1{REDACTED}@", text)
        lower = text.lower()
        if any(scheme in lower for scheme in _SCHEMES):
            text = _SCHEME.sub(_without_credentials, text)
        if ("=" in text or ":" in text) and any(stem in lower for stem in self._stems):
            text = self._pairs.sub(rf"\g<name>{REDACTED}", text)
        return text


def normalized(name: str) -> str:
    """A name in lower case, its words apart by underscores."""
    return _NO_WORD.sub("_", _WORD_BEGINS.sub("_", name[:256])).strip("_").lower()


def _without_credentials(found: re.Match[str]) -> str:
    scheme, space, text = found.groups()
    # "basic information" is none.
    looks_like_some = len(text) >= 20 or re.search(r"[\d=._~+/-]|.[A-Z]", text)
    return f"{scheme}{space}{REDACTED}" if looks_like_some else found[0]


def _least(words: set[str]) -> tuple[str, ...]:
    """The words without those that have another of them in it."""
    return tuple(sorted(word for word in words if not any(other in word for other in words - {word})))


def _pairs(words: Iterable[str]) -> re.Pattern[str]:
    """What finds a name, what is between, and its value."""
    between = r"""\\*["']?[ \t]*+[=:][ \t]*+(?!\[redacted\])"""
    quoted = r"""b?"(?:[^"\\\n]|\\.)*"?|b?'(?:[^'\\\n]|\\.)*'?|\\+["'][^"'\n]*["']?"""
    #: A container may end anywhere on the line.
    container = r"""[\[{(][^\n]*"""
    one, several = r"""[^\s"',;&)}\]]+""", r"""[^"'\n]+"""
    lines = _alternatives(word for word in words if word in _OF_SEVERAL_WORDS)
    others = _alternatives(word for word in words if word not in _OF_SEVERAL_WORDS)
    return re.compile(
        rf"(?P<name>(?:(?:{lines})(?P<several>)|(?:{others})){between})"
        rf"(?:{quoted}|{container}|(?(several){several}|{one}))",
        re.IGNORECASE,
    )


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(re.escape(word).replace("_", "[-_ ]?") for word in sorted(words, key=len, reverse=True))
