"""Errors that a person can mend, each in one line that says how."""


class InputError(Exception):
    """Input that can't be used: where it is, what was found, what was expected, what to do.

    ``str()`` of it is one line, fit to be shown without a traceback.
    """

    def __init__(self, where: object, *, found: str, expected: str, do: str) -> None:
        message = f"{where}: found {found}, expected {expected}; {do}"
        super().__init__(printable(" ".join(message.split())))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).__new__, (type(self), str(self))  # from a process to another


def excerpt(value: object, limit: int = 40) -> str:
    """The value as an error line quotes it: ``repr``, cut to ``limit`` characters."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def printable(text: str) -> str:
    """The text with control characters escaped, but for line ends: they could steer a terminal."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode()
        for letter in text
    )
