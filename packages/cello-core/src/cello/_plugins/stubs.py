"""What plugins bring, as type checkers read it: two stubs, of one form.

`_contrib.pyi` has what the families of the framework bring and is made with the framework. `_contrib_strangers.pyi`
comes empty, and has what other plugins bring that are installed once `cello plugins stubs` has written it. Methods are
aliases of the plugin's own functions, so that a checker checks their arguments and finds where they are written.
"""

from __future__ import annotations

import os
from keyword import iskeyword
from typing import TYPE_CHECKING

from cello._plugins.catalogue import CATALOGUE
from cello._plugins.declaration import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cello._plugins.declaration import Declaration
    from cello._plugins.plugin import Plugin
    from cello._plugins.plugins import Plugins

__all__ = ["FAMILIES", "STRANGERS", "are_stale", "families", "of_strangers", "strangers", "write"]

_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FAMILIES = os.path.join(_FOLDER, "_contrib.pyi")
STRANGERS = os.path.join(_FOLDER, "_contrib_strangers.pyi")

_DIGEST = "# Of what they declare: "


def of_strangers(plugins: Plugins) -> list[Plugin]:
    """The plugins that are loaded and belong to no family."""
    known = {f"cello-{family}" for names in CATALOGUE.values() for family in names.values()}
    return [plugin for plugin in plugins.active if plugin.distribution not in known]


def are_stale(plugins: Plugins) -> bool:
    """Whether the stub of strangers was written for others than these, or for other declarations."""
    try:
        with open(STRANGERS, encoding="utf-8") as file:
            head = [file.readline(), file.readline()]
    except OSError:
        return True
    return head != strangers(plugins).splitlines(keepends=True)[:2]


def write(text: str) -> None:
    """Replaces the stub of strangers by a new file: the old one may be hard-linked from an installer's cache.

    Errors: OSError.
    """
    new = f"{STRANGERS}.{os.getpid()}"
    try:
        with open(new, "x", encoding="utf-8") as file:
            file.write(text)
        os.replace(new, STRANGERS)
    except OSError:
        if os.path.exists(new):
            os.unlink(new)
        raise


def strangers(plugins: Plugins) -> str:
    """The stub of what strangers bring. A name that two plugins declare is not in it."""
    from hashlib import sha256

    found = [one for plugin in of_strangers(plugins) for one in plugin.declarations]
    body = "\n".join(_body([one for one in found if len(plugins.names(one.kind)[one.name]) == 1], base=""))
    digest = sha256(body.encode()).hexdigest()[:32]
    head = '"""What plugins bring that belong to no family. Written by `cello plugins stubs`."""'
    return f"{head}\n{_DIGEST}{digest}\n\n{body}\n"


def families(declarations: Iterable[Declaration]) -> str:
    """The stub of what families bring."""
    body = "\n".join(_body(declarations, base="cello._contrib_strangers."))
    return f'"""What the families of the framework bring. Written by `hatch run gen`."""\n\n{body}\n'


def _body(declarations: Iterable[Declaration], base: str) -> Iterator[str]:
    kinds: dict[Kind, list[Declaration]] = {kind: [] for kind in Kind}
    for one in sorted(declarations, key=lambda one: one.name):
        if not iskeyword(one.name):
            kinds[one.kind].append(one)
    methods, attributes, options = kinds[Kind.APP_METHOD], kinds[Kind.REQUEST_ATTRIBUTE], kinds[Kind.ROUTE_OPTION]
    exports = kinds[Kind.EXPORT]
    # What an export names is imported, so that whoever asks where it is written lands there.
    direct = [one for one in exports if "." not in one.target.partition(":")[2]]
    indirect = [one for one in exports if one not in direct]
    modules = {one.target.partition(":")[0] for one in (*methods, *attributes, *indirect)}
    modules |= {one.value.partition(":")[0] for one in options} - {""}
    modules |= {"cello._types"} if attributes else set()
    modules |= {"cello._contrib_strangers"} if base else {"typing"}
    modules |= {"typing"} if not all(one.value for one in options) else set()
    yield from (f"import {module}" for module in sorted(modules))
    for one in direct:
        module, _, name = one.target.partition(":")
        yield f"from {module} import {name} as {one.name}"
    yield ""
    yield f"__all__: list[str] = [{', '.join(f'"{one.name}"' for one in exports)}]"
    yield ""
    yield from (f"{one.name} = {_path(one.target)}" for one in indirect)
    yield from _class("AppMethods", base, "", [f"{one.name} = {_path(one.target)}" for one in methods])
    made = [f"{one.name} = cello._types.RequestAttribute({_path(one.target)})" for one in attributes]
    yield from _class("RequestAttributes", base, "", made)
    typed = [f"{one.name}: {f'{_path(one.value)} | None' if one.value else 'typing.Any'}" for one in options]
    yield from _class("PluginOptions", base or "typing.TypedDict", ", total=False", typed)


def _class(name: str, base: str, more: str, lines: Sequence[str]) -> Iterator[str]:
    bases = f"({f'{base}{name}' if base.endswith('.') else base}{more})" if base else ""
    yield f"class {name}{bases}:{'' if lines else ' ...'}"
    yield from (f"    {line}" for line in lines)


def _path(target: str) -> str:
    return target.replace(":", ".")
