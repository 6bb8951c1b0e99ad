"""Two dependencies, one behind the other: what they do is nothing beside how they are given."""


class Settings:
    """What prices depend on."""

    def __init__(self) -> None:
        self.currency = "EUR"


class Prices:
    """What a handler depends on."""

    def __init__(self, settings: Settings) -> None:
        self.currency = settings.currency
