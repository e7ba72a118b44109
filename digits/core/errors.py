"""Errors that the user can fix, one line each."""


class InputError(Exception):
    """Input that can't be used.

    ``where``: the file and row, or the key. ``problem``: what was found there and what is expected.
    ``fix``: what to do about it. ``str()`` gives them as one line: ``where: problem. Fix.``
    """

    def __init__(self, where: object, problem: str, fix: str) -> None:
        message = f"{where}: {problem}. {fix}."
        super().__init__(printable(" ".join(message.split())))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).__new__, (type(self), str(self))  # so that pickle passes it between processes


def excerpt(value: object, limit: int = 40) -> str:
    """The value as an error line quotes it: ``repr``, cut to ``limit`` characters."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def printable(text: str) -> str:
    """Return the text with unprintable characters escaped, since a terminal may obey them; line ends stay."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode()
        for letter in text
    )
