"""Validation: the error for a request that is not what was asked for, and what a client may see and send of a model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cello._dto import DTOConfig
from cello._rules import DTO, Email, MinLength, Required
from cello.errors import UnprocessableContent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from cello.errors import More

__all__ = ["DTO", "DTOConfig", "Email", "MinLength", "Required", "ValidationError"]


class ValidationError(UnprocessableContent):
    """A request is well-formed, and its values are not what the handler asks for: 422.

    Shape: `errors` are dicts with `detail`, in words; `in`, which part of the request it is about ("path", "query",
    "header", "cookie", "form", "body"); `pointer`, the place in that part ("#/items/0/price"); `code`, a word for
    programs ("missing", "int_parsing"); and, but for the body, `name`, of the parameter.
    Errors: TypeError or ValueError for an error without a detail, or a pointer that is none.
    Source: RFC 9457 §3, RFC 6901 §6 (pointers as fragments).
    """

    def __init__(
        self, detail: str | None = None, *, errors: Sequence[Mapping[str, Any]] = (), **more: Unpack[More]
    ) -> None:
        super().__init__(detail, errors=errors, **more)
        #: What is wrong, one dict for each place.
        self.errors: list[dict[str, Any]] = [dict(error) for error in errors]

    def _places(self) -> list[dict[str, Any]]:
        """The errors as `App(errors="legacy")` tells them."""
        from urllib.parse import unquote

        told: list[dict[str, Any]] = []
        for error in self.errors:
            steps = re.findall(r"/([^/]*)", unquote(error.get("pointer", "")))
            names = [step.replace("~1", "/").replace("~0", "~") for step in steps]
            location = [error.get("in", "body"), *(int(name) if name.isdecimal() else name for name in names)]
            told.append({"loc": location, "msg": error["detail"], "type": error.get("code", "value_error")})
        return told
