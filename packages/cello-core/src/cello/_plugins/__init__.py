"""Plugins: how they are found, loaded and asked.

All of it happens while an application is made and started, nothing while a request is served.
"""

from cello._plugins.plugins import Plugins, everywhere, given, installed

__all__ = ["Plugins", "everywhere", "given", "installed"]
