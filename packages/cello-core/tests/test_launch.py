"""From a command line to a served application: options and their sources, `cello run`, the banner and the logs."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cello import _options
from cello._options import Options
from cello.errors import OptionError
from serving import Stopped, run_to_its_end

if TYPE_CHECKING:
    from serving import Launch, Serve

CELLO = str(Path(sys.executable).with_name("cello"))

SHOP = """
from cello import App

app = App()

@app.get("/")
def hello():
    return "hello"

@app.get("/fail")
def fail():
    raise LookupError("secret words")
"""

BANNER = re.compile(r"Cello running at http://127\.0\.0\.1:[1-9]\d*\n")


def write(folder: Path, name: str, source: str) -> Path:
    """Writes a module."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(source))
    return path


# --- the sources of options


CPUS = 3
PRODUCTION = Options("127.0.0.1", 8000, "production", debug=False, logs=False, workers=CPUS)


@pytest.mark.parametrize(
    ("command_line", "arguments", "environment", "expected"),
    [
        ({}, {}, {}, Options("127.0.0.1", 8000, "development", debug=True, logs=True)),
        ({}, {}, {"CELLO_ENV": "production"}, PRODUCTION),
        ({}, {"env": "production"}, {}, PRODUCTION),
        ({"env": "production"}, {}, {}, PRODUCTION),
        (
            {},
            {"env": "production"},
            {"CELLO_DEBUG": "1"},
            Options("127.0.0.1", 8000, "production", debug=True, logs=True),
        ),
        (
            {},
            {"env": "production"},
            {"CELLO_LOGS": "yes"},
            Options("127.0.0.1", 8000, "production", debug=False, logs=True, workers=CPUS),
        ),
        ({}, {"debug": False}, {}, Options("127.0.0.1", 8000, "development", debug=False, logs=False)),
        ({"logs": False}, {}, {}, Options("127.0.0.1", 8000, "development", debug=True, logs=False)),
        ({"host": None}, {"host": None}, {}, Options("127.0.0.1", 8000, "development", debug=True, logs=True)),
        ({}, {"port": 0}, {"PORT": "1"}, Options("127.0.0.1", 0, "development", debug=True, logs=True)),
        (
            {"workers": "4"},
            {"workers": 3},
            {"CELLO_WORKERS": "2"},
            Options("127.0.0.1", 8000, "development", debug=True, logs=True, workers=4),
        ),
        (
            {},
            {"workers": 3},
            {"CELLO_WORKERS": "2"},
            Options("127.0.0.1", 8000, "development", debug=True, logs=True, workers=3),
        ),
    ],
    ids=[
        "defaults",
        "production by environment",
        "production by argument",
        "production by command line",
        "debug in production",
        "logs in production",
        "no debug in development",
        "no logs in development",
        "None leaves the choice",
        "port 0 is a choice",
        "workers by command line",
        "workers by argument",
    ],
)
def test_what_is_not_given_takes_its_default(
    command_line: dict[str, Any],
    arguments: dict[str, Any],
    environment: dict[str, str],
    expected: Options,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cello._cpus.usable", lambda: CPUS)
    assert _options.resolve(command_line, arguments, environment) == expected


@pytest.mark.parametrize(
    ("name", "variable", "values", "expected"),
    [
        ("host", "CELLO_HOST", ("1.1.1.1", "2.2.2.2", "3.3.3.3"), ("1.1.1.1", "2.2.2.2", "3.3.3.3")),
        ("port", "CELLO_PORT", ("1", 2, "3"), (1, 2, 3)),
        ("port", "PORT", ("1", 2, "3"), (1, 2, 3)),
        ("env", "CELLO_ENV", ("production", "development", "production"), ("production", "development", "production")),
        ("debug", "CELLO_DEBUG", (True, False, "on"), (True, False, True)),
        ("debug", "CELLO_DEBUG", (False, True, "NO"), (False, True, False)),
        ("logs", "CELLO_LOGS", (False, True, "0"), (False, True, False)),
        ("workers", "CELLO_WORKERS", ("4", 3, "2"), (4, 3, 2)),
        ("cpu_affinity", "CELLO_CPU_AFFINITY", (True, False, "1"), (True, False, True)),
        ("shutdown_timeout", "CELLO_SHUTDOWN_TIMEOUT", ("0", 2.5, "86400"), (0.0, 2.5, 86_400.0)),
        ("shutdown_delay", "CELLO_SHUTDOWN_DELAY", ("1.5", 0, "3"), (1.5, 0.0, 3.0)),
        ("preload", "CELLO_PRELOAD", (True, False, "1"), (True, False, True)),
        ("reload", "CELLO_RELOAD", (True, False, "1"), (True, False, True)),
        ("reload_include", "CELLO_RELOAD_INCLUDE", (["a", "b"], ("c",), "d,e"), (("a", "b"), ("c",), ("d", "e"))),
        ("reload_exclude", "CELLO_RELOAD_EXCLUDE", (["a", "b"], "c", "d,e"), (("a", "b"), ("c",), ("d", "e"))),
    ],
    ids=[
        *("host", "port", "PORT", "env", "debug", "no debug", "logs", "workers"),
        *(
            "cpu_affinity",
            "shutdown_timeout",
            "shutdown_delay",
            "preload",
            "reload",
            "reload_include",
            "reload_exclude",
        ),
    ],
)
def test_the_command_line_goes_before_arguments_and_they_before_the_environment(
    name: str, variable: str, values: tuple[Any, Any, str], expected: tuple[Any, Any, Any]
) -> None:
    command_line, arguments, environment = {name: values[0]}, {name: values[1]}, {variable: values[2]}
    assert getattr(_options.resolve(command_line, arguments, environment), name) == expected[0]
    assert getattr(_options.resolve({}, arguments, environment), name) == expected[1]
    assert getattr(_options.resolve({}, {}, environment), name) == expected[2]


def test_cello_port_goes_before_port() -> None:
    assert _options.resolve({}, {}, {"PORT": "1", "CELLO_PORT": "2"}).port == 2


SECONDS = "it is a number of seconds from 0 to 86400"
FORMS = "give HOST:PORT, [::1]:8000, unix:/run/app.sock or fd://3"


@pytest.mark.parametrize(
    ("command_line", "arguments", "environment", "words"),
    [
        ({"port": "x"}, {}, {}, "--port is 'x': a port is a number from 0 to 65535"),
        ({"port": "65536"}, {}, {}, "--port is '65536': a port is a number from 0 to 65535"),
        ({}, {"port": -1}, {}, "run(port=...) is -1: a port is a number from 0 to 65535"),
        ({}, {"port": True}, {}, "run(port=...) is True: a port is a number from 0 to 65535"),
        ({}, {"port": 80.5}, {}, "run(port=...) is 80.5: a port is a number from 0 to 65535"),
        ({}, {}, {"CELLO_PORT": ""}, "CELLO_PORT is '': a port is a number from 0 to 65535"),
        ({}, {}, {"PORT": "http"}, "PORT is 'http': a port is a number from 0 to 65535"),
        ({"env": "test"}, {}, {}, "--env is 'test': use development or production"),
        ({}, {"env": "prod"}, {}, "run(env=...) is 'prod': use development or production"),
        ({}, {}, {"CELLO_ENV": "Production"}, "CELLO_ENV is 'Production': use development or production"),
        ({}, {"debug": "maybe"}, {}, "run(debug=...) is 'maybe': use 1 or 0"),
        ({}, {}, {"CELLO_DEBUG": "2"}, "CELLO_DEBUG is '2': use 1 or 0"),
        ({}, {}, {"CELLO_LOGS": "maybe"}, "CELLO_LOGS is 'maybe': use 1 or 0"),
        ({}, {"cpu_affinity": "often"}, {}, "run(cpu_affinity=...) is 'often': use 1 or 0"),
        ({}, {}, {"CELLO_CPU_AFFINITY": "0-3"}, "CELLO_CPU_AFFINITY is '0-3': use 1 or 0"),
        ({"shutdown_timeout": "x"}, {}, {}, f"--shutdown-timeout is 'x': {SECONDS}"),
        ({"shutdown_timeout": "nan"}, {}, {}, f"--shutdown-timeout is 'nan': {SECONDS}"),
        ({}, {"shutdown_timeout": -1}, {}, f"run(shutdown_timeout=...) is -1: {SECONDS}"),
        ({}, {"shutdown_timeout": True}, {}, f"run(shutdown_timeout=...) is True: {SECONDS}"),
        ({}, {}, {"CELLO_SHUTDOWN_TIMEOUT": "86401"}, f"CELLO_SHUTDOWN_TIMEOUT is '86401': {SECONDS}"),
        ({"host": ""}, {}, {}, "--host is '': give an address, such as 127.0.0.1"),
        ({}, {"host": 127}, {}, "run(host=...) is 127: give an address, such as 127.0.0.1"),
        ({}, {}, {"CELLO_HOST": ""}, "CELLO_HOST is '': give an address, such as 127.0.0.1"),
        (
            {"shutdown_delay": "nan"},
            {},
            {},
            "--shutdown-delay is 'nan': it is a number of seconds from 0 to 86400",
        ),
        (
            {},
            {"shutdown_delay": True},
            {},
            "run(shutdown_delay=...) is True: it is a number of seconds from 0 to 86400",
        ),
        ({}, {"reload": "often"}, {}, "run(reload=...) is 'often': use 1 or 0"),
        (
            {"env": "production"},
            {"reload": True},
            {},
            "reload is for development, and env is production: leave one of them out",
        ),
        (
            {"reload_include": [""]},
            {},
            {},
            "--reload-include is ['']: give globs of names, as in *.yaml, or of paths, as in texts/*.md",
        ),
        (
            {},
            {"reload_exclude": [7]},
            {},
            "run(reload_exclude=...) is [7]: give globs of names, as in *.yaml, or of paths, as in texts/*.md",
        ),
        (
            {},
            {"reload_exclude": 7},
            {},
            "run(reload_exclude=...) is 7: give globs of names, as in *.yaml, or of paths, as in texts/*.md",
        ),
        ({"bind": ["8000"]}, {}, {}, f"--bind is '8000': {FORMS}"),
        ({"bind": ["a:1,b:2"]}, {}, {}, f"--bind is 'a:1,b:2': {FORMS}"),
        ({"bind": [":8000"]}, {}, {}, f"--bind is ':8000': {FORMS}"),
        ({"bind": ["http://a:80"]}, {}, {}, f"--bind is 'http://a:80': {FORMS}"),
        ({"bind": ["a:65536"]}, {}, {}, "--bind is 'a:65536': a port is a number from 0 to 65535"),
        ({"bind": ["::1:80"]}, {}, {}, "--bind is '::1:80': an address of IPv6 stands in brackets"),
        ({"bind": ["fd://"]}, {}, {}, f"--bind is 'fd://': {FORMS}"),
        ({"bind": ["unix:/a", "unix:///a"]}, {}, {}, "--bind has 'unix:///a' twice"),
        ({}, {"bind": []}, {}, f"run(bind=...) is []: {FORMS}"),
        ({}, {"bind": 8000}, {}, f"run(bind=...) is 8000: {FORMS}"),
        ({}, {"bind": "unix:"}, {}, "run(bind=...) is 'unix:': give a path, as in unix:/run/app.sock"),
        ({}, {"bind": "unix:/a?mode=9"}, {}, "run(bind=...) is 'unix:/a?mode=9': behind the ? stands mode=660"),
        (
            {},
            {"bind": "unix:@a?mode=660"},
            {},
            "run(bind=...) is 'unix:@a?mode=660': a name without a file has no mode",
        ),
        ({}, {}, {"CELLO_BIND": ""}, f"CELLO_BIND is '': {FORMS}"),
        ({"bind": ["a:1"], "port": "1"}, {}, {}, "--bind and --port both say where to listen: give one of them"),
        (
            {},
            {"bind": "a:1", "host": "b"},
            {},
            "run(bind=...) and run(host=...) both say where to listen: give one of them",
        ),
        (
            {},
            {},
            {"CELLO_BIND": "a:1", "CELLO_PORT": "1"},
            "CELLO_BIND and CELLO_PORT both say where to listen: give one of them",
        ),
    ],
)
def test_a_value_that_an_option_cannot_have_is_refused_by_its_source(
    command_line: dict[str, Any], arguments: dict[str, Any], environment: dict[str, str], words: str
) -> None:
    with pytest.raises(OptionError) as refused:
        _options.resolve(command_line, arguments, environment)
    assert str(refused.value) == words


def test_a_source_that_is_overruled_is_not_judged() -> None:
    assert _options.resolve({"port": "1"}, {"port": "x"}, {"PORT": "y"}).port == 1


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("--prot", "--port"),
        ("--prot=80", "--port"),
        ("--hots", "--host"),
        ("--deubg", "--debug"),
        ("--no-log", "--no-logs"),
        ("--nologs", "--no-logs"),
    ],
)
def test_an_option_that_is_nearly_one_is_refused_with_a_suggestion(word: str, nearest: str) -> None:
    with pytest.raises(OptionError) as refused:
        _options.script_options(["--port", "1", word])
    assert str(refused.value) == f"there is no option {word.partition('=')[0]}: did you mean {nearest}?"


def test_the_words_of_a_script_s_own_command_line_are_left_alone() -> None:
    options = _options.script_options(["seed", "--fixtures=small", "--port", "1", "-v", "--no-logs"])
    assert {name: value for name, value in options.items() if value is not None} == {"port": "1", "logs": False}


# --- python app.py


def test_the_banner_is_all_that_a_server_says(serve: Serve) -> None:
    server = serve(f"{SHOP}\napp.run()")
    stopped = server.stop()
    assert BANNER.fullmatch(stopped.stdout)
    assert stopped.stdout == f"Cello running at {server.url}\n"


def test_the_banner_has_the_host_that_was_asked_for(launch: Launch, tmp_path: Path) -> None:
    write(tmp_path, "shop.py", f"{SHOP}\napp.run(host='localhost', port=0)")
    server = launch(sys.executable, "shop.py", "--host", "::1")
    assert server.banner == [f"Cello running at http://[::1]:{server.port}\n"]
    assert server.get("/").body == b"hello"


@pytest.mark.parametrize(
    "end", ["app.run()", "if __name__ == '__main__':\n    app.run()"], ids=["unguarded", "guarded"]
)
def test_a_script_serves_itself_with_its_options(launch: Launch, tmp_path: Path, end: str) -> None:
    write(tmp_path, "shop.py", f"{SHOP}\n{end}")
    server = launch(sys.executable, "shop.py", "--port", "0", environment={"CELLO_PORT": "1", "CELLO_HOST": "::1"})
    assert server.host == "::1"
    assert server.get("/").body == b"hello"


def test_a_script_takes_its_port_from_arguments_before_the_environment(launch: Launch, tmp_path: Path) -> None:
    write(tmp_path, "shop.py", f"{SHOP}\napp.run(port=0)")
    server = launch(sys.executable, "shop.py", environment={"CELLO_PORT": "1", "PORT": "2"})
    assert server.get("/").body == b"hello"


def test_a_script_takes_its_port_from_the_environment(launch: Launch, tmp_path: Path) -> None:
    write(tmp_path, "shop.py", f"{SHOP}\napp.run()")
    server = launch(sys.executable, "shop.py", environment={"PORT": "0"})
    assert server.get("/").body == b"hello"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "x"], "cello: --port is 'x': a port is a number from 0 to 65535\n"),
        (["--env=test"], "cello: --env is 'test': use development or production\n"),
        (["--prot", "80"], "cello: there is no option --prot: did you mean --port?\n"),
    ],
)
def test_a_bad_option_of_a_script_ends_with_2(tmp_path: Path, arguments: list[str], words: str) -> None:
    write(tmp_path, "shop.py", f"{SHOP}\napp.run()")
    assert run_to_its_end(tmp_path, sys.executable, "shop.py", *arguments) == Stopped(2, "", words)


# --- cello run


@pytest.mark.parametrize("command", [(CELLO,), (sys.executable, "-m", "cello")], ids=["cello", "python -m cello"])
@pytest.mark.parametrize("target", ["shop:app", "shop", "store.front:counter"])
def test_cello_run_serves_the_app_that_is_named(
    launch: Launch, tmp_path: Path, command: tuple[str, ...], target: str
) -> None:
    write(tmp_path, "shop.py", f"{SHOP}\nif __name__ == '__main__':\n    app.run(port=1)")
    write(tmp_path, "store/front.py", SHOP.replace("app", "counter"))
    server = launch(*command, "run", target, "--port", "0", "--no-logs")
    assert server.get("/").body == b"hello"
    stopped = server.stop()
    assert (stopped.exit_code, stopped.stderr) == (0, "")
    assert BANNER.fullmatch(stopped.stdout)


def test_cello_run_takes_the_arguments_of_an_unguarded_run_as_defaults(launch: Launch, tmp_path: Path) -> None:
    write(tmp_path, "shop.py", f"{SHOP}\napp.run(port=0, env='production', workers=1)")
    server = launch(CELLO, "run", "shop:app", environment={"PORT": "1"})
    assert "secret" not in server.get("/fail").body.decode()
    shown = launch(CELLO, "run", "shop:app", "--env", "development")
    assert "secret" in shown.get("/fail").body.decode()


@pytest.mark.parametrize("importer", ["_pytest", "gunicorn", "hypercorn"])
def test_an_unguarded_run_is_not_obeyed_where_a_test_or_another_server_imports_it(
    tmp_path: Path, importer: str
) -> None:
    write(tmp_path, "shop.py", f"{SHOP}\napp.run(port=0)")
    write(tmp_path, f"{importer}/__init__.py", "import shop\nprint(type(shop.app))")
    program = f"import sys; sys.path.insert(0, '.'); import {importer}"
    stopped = run_to_its_end(tmp_path, sys.executable, "-c", program)
    assert stopped == Stopped(0, "<class 'cello.app.App'>\n", "")


def test_an_unguarded_run_is_obeyed_where_a_script_imports_it(launch: Launch, tmp_path: Path) -> None:
    write(tmp_path, "shop.py", f"{SHOP}\napp.run(port=0)")
    path = write(tmp_path, "start.py", "import shop")
    assert launch(sys.executable, str(path)).get("/").status == 200


def test_cello_run_takes_no_arguments_of_another_app_s_run(launch: Launch, tmp_path: Path) -> None:
    write(tmp_path, "shop.py", f"{SHOP}\nother = App()\nother.run(port=1, env='production')")
    server = launch(CELLO, "run", "shop:app", environment={"PORT": "0"})
    assert "secret" in server.get("/fail").body.decode()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere:app", "there is no module 'nowhere' here: give MODULE:APP, such as app:app"),
        (":app", ":app names no module: give MODULE:APP, such as app:app"),
        ("shop.py", "shop.py names no module: give MODULE:APP, such as shop:app"),
        ("shop:front", "shop has no App named 'front'; it has app"),
        ("shop:hello", "shop has no App named 'hello'; it has app"),
        ("empty", "empty has no App named 'app'"),
        ("./shop", "./shop is a path, and names no module: give MODULE:APP, such as shop:app"),
        ("src/parts/app.py", "src/parts/app.py names no module: give MODULE:APP, such as parts.app:app"),
        ("parts.app.app", "parts.app has no module 'app': give parts.app:app"),
        ("parts.shop:app", "parts has no module 'shop'"),
        ("parts/shop:app", "parts/shop:app is a path, and names no module: give MODULE:APP, such as parts.shop:app"),
        ("factory:make", "factory:make is the function make, and no App: give the name of what it makes"),
        ("factory", "factory:app is 3, and no App"),
        ("parts", "parts has no App named 'app': give parts.app:app"),
        (
            "quartet.app",
            "there is no module 'quartet.app' here, but in src: install the project, pip install --editable .",
        ),
    ],
)
def test_cello_run_says_what_it_did_not_find_and_ends_with_3(tmp_path: Path, target: str, words: str) -> None:
    write(tmp_path, "shop.py", SHOP)
    write(tmp_path, "empty.py", "app = None")
    write(tmp_path, "factory.py", "app = 3\ndef make(): ...")
    for folder in ("parts", "src/quartet"):
        (tmp_path / folder).mkdir(parents=True)
        write(tmp_path, f"{folder}/__init__.py", "")
        write(tmp_path, f"{folder}/app.py", SHOP)
    assert run_to_its_end(tmp_path, CELLO, "run", target, "--port", "0") == Stopped(3, "", f"cello: {words}\n")


def test_cello_run_shows_the_user_s_lines_where_a_module_cannot_be_imported(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "shop.py",
        """
        def connect():
            import nowhere

        connect()
        """,
    )
    stopped = run_to_its_end(tmp_path, CELLO, "run", "shop:app", "--port", "0")
    assert (stopped.exit_code, stopped.stdout) == (3, "")
    lines = stopped.stderr.splitlines()
    assert lines[:2] == ["cello: shop could not be imported", "ModuleNotFoundError: No module named 'nowhere'"]
    assert lines[-4:] == [
        f"  {path}:5 in <module>",
        "      connect()",
        f"  {path}:3 in connect",
        "      import nowhere",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["shop:app", "--port", "x"], "cello: --port is 'x': a port is a number from 0 to 65535\n"),
        (["shop:app", "--prot", "80"], "cello: there is no option --prot: did you mean --port?\n"),
        (["shop:app", "--colour"], "cello run: error: unrecognized arguments: --colour\n"),
        (["shop:app", "--por", "80"], "cello: there is no option --por: did you mean --port?\n"),
        ([], "cello run: error: the following arguments are required: MODULE[:APP]\n"),
    ],
)
def test_a_bad_option_of_cello_run_ends_with_2(tmp_path: Path, arguments: list[str], words: str) -> None:
    write(tmp_path, "shop.py", SHOP)
    stopped = run_to_its_end(tmp_path, CELLO, "run", *arguments)
    assert (stopped.exit_code, stopped.stdout) == (2, "")
    assert stopped.stderr.endswith(words)


# --- development and production


def test_development_logs_each_answer_and_shows_errors_to_the_client(launch: Launch, tmp_path: Path) -> None:
    write(tmp_path, "shop.py", f"{SHOP}\napp.run()")
    server = launch(sys.executable, "shop.py", "--port", "0")
    for path in ("/", "/missing%20thing?q=1", "/fail"):
        server.get(path)
    server.request("HEAD", "/")
    shown = server.get("/fail").json()
    assert shown["detail"] == "LookupError: secret words"
    assert shown["trace"][-1].strip() == 'raise LookupError("secret words")'
    logged = server.stop().stdout.splitlines()[1:]
    line = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] (.*) \(\d+\.\d ms\)")
    matches = [line.fullmatch(words) for words in logged]
    assert [match and match[1] for match in matches] == [
        "GET / → 200",
        "GET /missing%20thing → 404",
        "GET /fail → 500",
        "HEAD / → 200",
        "GET /fail → 500",
    ]


def test_production_logs_no_answers_and_shows_no_errors_to_the_client(launch: Launch, tmp_path: Path) -> None:
    write(tmp_path, "shop.py", f"{SHOP}\napp.run()")
    server = launch(
        sys.executable, "shop.py", "--port", "0", environment={"CELLO_ENV": "production", "CELLO_WORKERS": "1"}
    )
    assert server.get("/").body == b"hello"
    failed = server.get("/fail")
    assert (failed.status, failed.json()["detail"]) == (500, "The server failed to answer this request.")
    assert not any(word in failed.body for word in (b"secret", b"LookupError", b"shop.py", b"trace"))
    stopped = server.stop()
    assert BANNER.fullmatch(stopped.stdout)
    assert "LookupError: secret words" in stopped.stderr


def test_debug_shows_errors_in_production_and_logs_can_be_left_out(launch: Launch, tmp_path: Path) -> None:
    write(tmp_path, "shop.py", f"{SHOP}\napp.run()")
    server = launch(sys.executable, "shop.py", "--port", "0", "--env", "production", "--debug", "--no-logs")
    assert server.get("/fail").json()["detail"] == "LookupError: secret words"
    assert BANNER.fullmatch(server.stop().stdout)
