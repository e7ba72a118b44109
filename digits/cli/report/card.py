"""A model card for each model, in the format of the Hugging Face Hub: YAML, then Markdown.

https://huggingface.co/docs/hub/model-cards. Beside a model's files, it is their README.md.
"""

import html
import re
from collections import Counter
from pathlib import Path
from typing import Any

from markupsafe import Markup

from digits.cli.report.rendering import environment, words
from digits.cli.report.results import Model, Results, read_results
from digits.core.files import replacing
from digits.evaluate.metrics import METRICS

#: How many pairs of classes are named.
CONFUSED = 5


def main(*, root: Path = Path()) -> int:
    """Write ``report/<model>.md`` for each model, and print its path; return 0.

    Raises:
        InputError: the pipeline hasn't run.
    """
    results = read_results(root)
    for model in results.models:
        path = root / "report" / f"{model.name}.md"
        with replacing(path) as partial:
            partial.write_text(card(model, results), encoding="utf-8", newline="\n")
        print(path)
    return 0


def card(model: Model, results: Results) -> str:
    """The whole card; the same for the same results."""
    jinja = environment(finalize=_escaped)
    hidden, names = model.recipe["hidden_units"], model.model_input.class_names
    answers = model.predictions["test"]
    pairs = zip(answers.actual.tolist(), answers.predicted.tolist(), strict=True)
    return jinja.get_template("card.md").render(
        model=model,
        results=results,
        source=results.source,
        kind="a dense neural network" if hidden else "a linear classifier",
        kind_sentence=(
            f"A dense network with hidden layers of {words(hidden)} units (ReLU)."
            if hidden
            else "Multinomial logistic regression on the pixels."
        ),
        licence=results.source.licence or "not stated",
        of_digits=names == tuple("0123456789"),
        class_names=Markup(", ").join(map(_escaped, names)),
        metrics=[metric for metric in METRICS.values() if metric.name != "accuracy"],
        confused=Counter((names[a], names[p]) for a, p in pairs if a != p).most_common(CONFUSED),
    )


def _escaped(value: Any) -> Any:
    """Text without meaning in Markdown or HTML: the name of a class may hold anything."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    escaped = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", html.escape(" ".join(value.split()), quote=False))
    return Markup(escaped)  # noqa: S704  # escaped in the line above
