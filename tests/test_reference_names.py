"""Every public name stands on its page of the reference, and what stands there is a name and takes what is said."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import cello
import cello.background
import cello.dependencies
import cello.errors
import cello.json
import cello.loop
import cello.middleware
import cello.params
import cello.plugin
import cello.providers
import cello.routing
import cello.shared
import cello.testing
import cello.validation
import cello.workers
import pytest
from cello import _kernel
from cello._plugins import hookspecs
from pages import GUIDES, REFERENCE, code_spans, table, tables, without_blocks

if TYPE_CHECKING:
    from collections.abc import Callable

INDEX = "docs/reference/index.md"
#: The pages that describe names: a guide where the reference has none of that name.
NAMED = [*REFERENCE, *(page for page in GUIDES if page.replace("guides", "reference") not in REFERENCE)]

SHARED = cello.App().shared
LIMIT = cello.shared.TokenBucket(1, 1)
CONFIGS = (cello.ClusterConfig(), cello.LimitsConfig(), cello.ThreadPoolConfig(), cello.TimeoutConfig())

#: Whose public names each page describes. Instances stand for their class and for what they have by themselves.
OWNERS: dict[str, list[Any]] = {
    "app": [cello.App(), cello.Blueprint(), *CONFIGS],
    "background": [cello.background, cello.background.BackgroundCounts(), cello.background.BackgroundTasks],
    "configuration": [SimpleNamespace(configured=cello.plugin.configured, secret=cello.plugin.secret)],
    "deploy": [cello.workers, cello.workers.WorkerCounts(0, None, 0, 0, 0, None)],
    "dependencies": [cello.dependencies, cello.dependencies.Dependency()],
    "errors": [cello.errors, cello.ProblemDetails("about:blank", "", 400), cello.errors.HTTPError(400)],
    "forms": [cello.FormData, cello.UploadedFile, _kernel.UploadPart],
    "json": [cello.json],
    "loop": [cello.loop, cello.loop.EventLoop],
    "middleware": [cello.middleware, cello.middleware.Phase],
    "parameters": [cello.params, cello.params.Query()],
    "plugin": [cello.plugin, cello.plugin.Registrar, cello.plugin.RouteOption, hookspecs],
    "providers": [
        cello.providers,
        *(getattr(cello.providers, name) for name in cello.providers.__all__),
        SimpleNamespace(provide=cello.App.provide, provided=cello.App.provided, needs=cello.App.needs),
    ],
    "request": [cello.Request, _kernel.Query, _kernel.Headers],
    "response": [cello.Response, _kernel.ResponseHeaders],
    "validation": [cello.validation, cello.validation.DTOConfig()],
    "routing": [cello.routing, cello.routing.RegexConstraint("")],
    "shared": [
        cello.shared,
        *(SHARED, SHARED.counter("plain"), SHARED.counter("labelled", ("label",)), SHARED.expiring_map("map", 1)),
        *(LIMIT, SHARED.rate_limit("limit", LIMIT), cello.shared.FixedWindow(1, 1), cello.shared.SlidingWindow(1, 1)),
        cello.shared.Decision,
    ],
    "testing": [
        cello.testing,
        *(cello.testing.TestClient, cello.testing.AsyncTestClient, cello.testing.Transport),
        *(cello.testing.AsyncTransport, cello.testing.Connection, cello.testing.AsyncConnection),
        *(SimpleNamespace(app=cello.App()), cello.testing.ContractError("rule", ())),
    ],
}

#: The columns that name parameters, by page and head, and whose they are.
PARAMETERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("app", "argument of `ClusterConfig`"): cello.ClusterConfig,
    ("app", "argument of `LimitsConfig`"): cello.LimitsConfig,
    ("app", "argument of `ThreadPoolConfig`"): cello.ThreadPoolConfig,
    ("app", "argument of `TimeoutConfig`"): cello.TimeoutConfig,
    ("app", "argument of `set_access_log`"): cello.App.set_access_log,
    ("errors", "argument"): cello.errors.HTTPError,
    ("request", "argument"): cello.Request,
    ("response", "argument of `set_cookie`"): cello.Response.set_cookie,
    ("testing", "argument"): cello.testing.TestClient,
    ("testing", "argument of `plugin_contract`"): cello.testing.plugin_contract,
}
#: The heads of columns that name what the page describes.
NAMES = {
    "class",
    "decorator",
    "exception",
    "made by",
    "hook",
    "limit",
    "member",
    "member of `BackgroundCounts`",
    "member of `BackgroundTasks`",
    "member of `Decision`",
    "member of `ExpiringMap`",
    "member of `RouteOption`",
    "member of `Shared`",
    "member of `WorkerCounts`",
    "member of a blueprint",
    "member of a part",
    "member of a registrar",
    "method",
    "name",
}
#: The heads of columns that have no names of Python's in them.
OTHERS = {
    *(
        "annotated",
        "case",
        "command",
        "command line",
        "command of `plugins`",
        "document",
        "event",
        "exit code",
        "field",
        "file",
        "file of a plugin",
        "fixture",
        "handler",
        "in",
        "in a path",
        "key",
        "line",
        "middleware",
        "module",
        "no route",
        "of a plugin",
        "option",
        "page",
        "platform",
        "`range_header`",
        "refused",
        "registered",
        "returned",
        "rule",
        "scope",
        "signal",
        "state",
        "status",
    ),
    *("value", "what", "what happens", "written"),
    # What others call it.
    *("FastAPI", "Django", "of ASGI"),
}


def public(owner: Any) -> set[str]:
    """The public names of a module, of a class, or of what an instance has."""
    if isinstance(owner, ModuleType):
        return {*owner.__all__}
    if isinstance(owner, type):
        return {name for name in vars(owner) if not name.startswith("_")}
    # What exceptions have of Python's own is Python's to describe.
    kinds = [kind for kind in type(owner).mro() if kind.__module__.startswith("cello")]
    own = [*getattr(owner, "__dict__", {})]
    return {name for name in own if not name.startswith("_")}.union(*map(public, kinds))


def described(page: str) -> set[str]:
    """The names in the code spans of a page."""
    (path,) = (path for path in NAMED if Path(path).stem == page)
    spans = code_spans(without_blocks(path))
    return {name for span in spans for name in re.findall(r"\w+", span.partition("(")[0])}


@pytest.mark.parametrize("page", OWNERS)
def test_every_public_name_stands_on_its_page(page: str) -> None:
    names = {name for owner in OWNERS[page] for name in public(owner)}
    assert len(names) >= 2
    assert not names - described(page)


def test_the_index_has_every_public_name_with_the_page_that_describes_it() -> None:
    rows = table(INDEX, "module", "names", "page")
    listed = [(code_spans(module)[0], name, page) for module, names, page in rows for name in code_spans(names)]
    modules = {
        f"cello.{name}": getattr(cello, name)
        for name in (
            "background",
            "dependencies",
            "errors",
            "json",
            "loop",
            "middleware",
            "params",
            "plugin",
            "providers",
            "routing",
            "shared",
            "testing",
            "validation",
            "workers",
        )
    }
    modules["cello"] = cello
    names = [(module, name) for module, found in modules.items() for name in found.__all__]
    assert sorted((module, name) for module, name, _ in listed) == sorted(names)
    for _, name, page in listed:
        assert name in described(page.partition("]")[0].removeprefix("["))


def test_the_index_has_every_page() -> None:
    links = [re.findall(r"\[(\w+)\]\(([\w./]+)\)", page) for page, _ in table(INDEX, "page", "what it describes")]
    assert all(name == Path(target).stem for ((name, target),) in links)
    assert sorted(name for ((name, _),) in links) == sorted(Path(page).stem for page in NAMED if page != INDEX)


def columns() -> list[tuple[str, str, list[str]]]:
    """The first column of each table of the reference: its page, its head, and the code spans in it."""
    return [
        (Path(page).stem, head, [span for cell in cells for span in code_spans(cell)])
        for page in NAMED
        for head, cells in tables(page)
    ]


def test_every_column_is_known_for_what_it_names() -> None:
    found = {(page, head) for page, head, _ in columns()}
    assert {(page, head) for page, head in found if head not in NAMES | OTHERS} <= PARAMETERS.keys()
    assert {head for _, head in found} >= NAMES | OTHERS


def test_every_parameter_that_a_table_names_is_there_and_none_is_left_out() -> None:
    told: dict[tuple[str, str], set[str]] = {}
    for page, head, spans in columns():
        if (page, head) in PARAMETERS:
            told.setdefault((page, head), set()).update(spans)
    for column, called in PARAMETERS.items():
        assert told[column] == {*inspect.signature(called).parameters} - {"self"}, column


@pytest.mark.parametrize(("page", "spans"), [(page, spans) for page, head, spans in columns() if head in NAMES])
def test_every_name_in_a_table_is_there_and_takes_what_is_said(page: str, spans: list[str]) -> None:
    assert spans
    for span in spans:
        # What is no name, like `form[name]`, and what is Python's, like `len()`.
        found = re.fullmatch(r"(?:\w+\.)*(\w+)(?:\((.*)\))?", span)
        if found is None or span in ("async for", "with") or hasattr(builtins, found[1]):
            continue
        name, arguments = found[1], found[2]
        holders = [owner for owner in (*OWNERS[page], cello.App) if hasattr(owner, name)]
        assert holders, span
        if arguments and "…" not in arguments:
            signatures = [inspect.signature(getattr(owner, name)) for owner in holders]
            assert any(is_called_so(signature, arguments) for signature in signatures), span


def is_called_so(signature: inspect.Signature, arguments: str) -> bool:
    """Whether a signature has these arguments, and these defaults."""
    called = ast.parse(f"def called({arguments}): ...").body[0]
    assert isinstance(called, ast.FunctionDef)
    positional = [*called.args.posonlyargs, *called.args.args]
    required = len(positional) - len(called.args.defaults)
    told: dict[str, Any] = {argument.arg: inspect.Parameter.empty for argument in positional[:required]}
    for argument, default in [
        *zip(positional[required:], called.args.defaults, strict=True),
        *zip(called.args.kwonlyargs, called.args.kw_defaults, strict=True),
    ]:
        told[argument.arg] = inspect.Parameter.empty if default is None else ast.literal_eval(default)
    parameters = signature.parameters
    return all(name in parameters and parameters[name].default == value for name, value in told.items())
