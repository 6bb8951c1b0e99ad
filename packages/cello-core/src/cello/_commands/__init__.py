"""The commands of `cello`: which there are. Each is the module of its name here, imported when it is asked for.

It has `add_arguments(parser)` and `run(options)`; what `run` raises of ours is told in its words.
"""

__all__ = ["COMMANDS"]

#: What each command does.
COMMANDS = {
    "run": "serve an application",
    "new": "make the folder of a new project",
    "routes": "list the routes of an application",
    "explain": "say what becomes of a request, and why",
    "shell": "start Python with an application that has started",
    "plugins": "list, explain, check and make plugins",
}
