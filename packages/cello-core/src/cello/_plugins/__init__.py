"""Plugins: how they are found, loaded and asked.

All of it happens while an application is made and started, nothing while a request is served.
"""

from cello._plugins.loading import everywhere, given, installed
from cello._plugins.plugins import Plugins

__all__ = ["Plugins", "everywhere", "given", "installed"]
