"""What can be configured."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["LimelightConfig"]


@dataclass(frozen=True)
class LimelightConfig:
    """Which features there are, and who chooses."""

    #: By name, whether each is on.
    flags: dict[str, bool] = field(default_factory=dict[str, bool])
    #: The header field in which a client turns features on, "name", and off, "-name"; empty where none may.
    header: str = ""

    def __post_init__(self) -> None:
        for name in self.flags:
            if not name or name.startswith("-") or set(name) & set(", \t"):
                raise ValueError(f"{name!r} is no name of a feature: use no spaces or commas, and no hyphen first")
