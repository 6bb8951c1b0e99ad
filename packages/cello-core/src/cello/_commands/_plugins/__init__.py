"""The commands of `cello plugins`, one a module."""
