"""A model card for each model, in the format of the Hugging Face Hub: YAML, then Markdown.

https://huggingface.co/docs/hub/model-cards. Handed on with a model's files, it is their README.md.
"""

import html
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from ruamel.yaml import YAML

from digits.cli.report.results import Model, Results, read_results
from digits.cli.report.wording import figure, words
from digits.core.files import replacing
from digits.evaluate.metrics import METRICS

#: So many pairs of classes are named.
CONFUSED = 5


def main(*, root: Path = Path()) -> int:
    """Write ``report/<model>.md`` for each model, and say where; 0.

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
    return f"---\n{_front_matter(model, results)}---\n\n{_text(model, results)}"


def _front_matter(model: Model, results: Results) -> str:
    test = model.scores["test"].metrics
    document = {
        "library_name": "keras",
        "license": "other",
        "license_name": f"code MIT, data {results.licence}",
        "pipeline_tag": "image-classification",
        "tags": [
            "image-classification",
            *(["handwritten-digits"] if _of_digits(results) else []),
            "litert",
            "onnx",
        ],
        "metrics": ["accuracy", "f1"],
        "model-index": [
            {
                "name": model.name,
                "results": [
                    {
                        "task": {"type": "image-classification"},
                        "dataset": {
                            "name": results.title,
                            "type": results.source,
                            "split": "test",
                        },
                        "metrics": [
                            {"type": "accuracy", "value": test["accuracy"]},
                            {"type": "f1", "name": "macro F1", "value": test["macro_f1"]},
                        ],
                    }
                ],
            }
        ],
    }
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 10_000
    yaml.dump(document, text)
    return text.getvalue()


def _text(model: Model, results: Results) -> str:
    environment = Environment(
        loader=PackageLoader("digits.cli.report"),
        autoescape=False,  # noqa: S701  # what Markdown would take for more than text is escaped below
        finalize=_plain,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["figure"] = figure
    validation, test = model.scores["validation"], model.scores["test"]
    hidden = model.recipe.get("hidden_units") or []
    model_input = model.model_input
    return environment.get_template("card.md").render(
        name=model.name,
        kind="a dense neural network" if hidden else "a linear classifier",
        kind_sentence=(
            f"A dense network with hidden layers of {words(hidden)} units (ReLU)."
            if hidden
            else "Multinomial logistic regression on the pixels."
        ),
        of_digits=_of_digits(results),
        height=model_input.height,
        width=model_input.width,
        pixel_maximum=model_input.pixel_maximum,
        classes=len(model_input.class_names),
        class_names=Markup(", ").join(_plain(name) for name in model_input.class_names),
        title=results.title,
        homepage=results.homepage,
        licence=results.licence,
        rows={split: f"{count:,}" for split, count in results.rows.items()},
        recipe=[(key, words(value)) for key, value in model.recipe.items()],
        numbers=f"{model.numbers:,}",
        variables=model.variables,
        validation=validation,
        test=test,
        metrics=[metric for metric in METRICS.values() if metric.name != "accuracy"],
        by_class=test.classes,
        confused=_confused(model),
        wrong_share=f"{1 - test.metrics['accuracy']:.1%}",
    )


def _of_digits(results: Results) -> bool:
    return results.validation.class_names == tuple("0123456789")


def _confused(model: Model) -> list[tuple[int, str, str]]:
    """The most frequent mistakes on the test split: how many, true class, answer."""
    names = model.model_input.class_names
    counts = model.predictions["test"].confusion()
    np.fill_diagonal(counts, 0)
    most = np.argsort(-counts, axis=None, kind="stable")[:CONFUSED]
    pairs = [divmod(int(at), len(names)) for at in most]
    return [(int(counts[pair]), names[pair[0]], names[pair[1]]) for pair in pairs if counts[pair]]


def _plain(value: Any) -> Any:
    """Text without meaning in Markdown or HTML; a name may hold anything."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    escaped = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", html.escape(" ".join(value.split()), quote=False))
    return Markup(escaped)  # noqa: S704  # escaped in the line above
