"""The two ways in which a command ends without success."""


class Failed(Exception):
    """The work failed or found something: exit 1, with this sentence. `told` is all that a program said of it."""

    def __init__(self, sentence: str, told: str = "") -> None:
        super().__init__(sentence)
        self.told = told


class Locked(Failed):
    """Another process holds the repository; it is worth waiting."""


class WrongUse(Exception):
    """A setting or an argument is missing or wrong: exit 2, with this sentence."""
