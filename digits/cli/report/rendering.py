"""Jinja2 as the page and the cards use it."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment(**options: Any) -> Environment:
    """Jinja2 for this package's templates; ``options`` are :class:`jinja2.Environment`'s."""
    loader = PackageLoader("digits.cli.report")
    jinja = Environment(  # noqa: S701  # callers escape
        loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, **options
    )
    jinja.filters |= {"figure": "{:.4f}".format, "thousands": "{:,}".format, "words": words}
    jinja.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return jinja


def words(value: Any) -> str:
    """A parameter as params.yaml has it; a dash stands for none."""
    if value is None:
        return "–"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)
