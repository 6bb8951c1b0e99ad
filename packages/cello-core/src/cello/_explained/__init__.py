"""Requests explained: what becomes of one, and why."""

from cello._explained.request import Explanation, explain
from cello._explained.text import render

__all__ = ["Explanation", "explain", "render"]
