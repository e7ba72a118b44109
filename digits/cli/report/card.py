"""A model card for each model, in the format of the Hugging Face Hub: YAML, then Markdown.

https://huggingface.co/docs/hub/model-cards. Beside a model's files, it is their README.md.
"""

import html
import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from digits.cli.report.rendering import environment
from digits.cli.report.results import Model, Results
from digits.core.files import replacing
from digits.core.sources import Source
from digits.evaluate.metrics import METRICS


def write_cards(results: Results, root: Path) -> None:
    """Write ``report/<model>.md`` for each model, and print its path."""
    for model in results.models:
        path = root / "report" / f"{model.name}.md"
        with replacing(path) as partial:
            partial.write_text(card(model, results), encoding="utf-8", newline="\n")
        print(path)


def card(model: Model, results: Results) -> str:
    """The whole card; the same for the same results."""
    jinja = environment(finalize=_escaped)
    names = model.model_input.class_names
    of_digits = names == tuple("0123456789")
    answers = model.predictions["test"]
    pairs = zip(answers.actual.tolist(), answers.predicted.tolist(), strict=True)
    return jinja.get_template("card.md").render(
        model=model,
        results=results,
        front_matter=Markup(_front_matter(model, results, of_digits)),  # noqa: S704  # YAML, written by PyYAML
        of_digits=of_digits,
        class_names=Markup(", ").join(map(_escaped, names)),
        metrics=[metric for metric in METRICS.values() if metric.name != "accuracy"],
        confused=Counter((names[a], names[p]) for a, p in pairs if a != p).most_common(5),
    )


def _front_matter(model: Model, results: Results, of_digits: bool) -> str:
    """Return the metadata that the Hub reads, as YAML; https://github.com/huggingface/hub-docs/blob/main/modelcard.md."""
    metrics = model.scores["test"].metrics
    dataset = {"name": results.source.title, "type": results.params["data.source"], "split": "test"}
    values = [
        {"type": "accuracy", "value": metrics["accuracy"]},
        {"type": "f1", "name": "macro F1", "value": metrics["macro_f1"]},
    ]
    result = {"task": {"type": "image-classification"}, "dataset": dataset, "metrics": values}
    document = {
        "library_name": "keras",
        **_licence(results.source),
        "datasets": [results.params["data.source"]],
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", *(["handwritten-digits"] if of_digits else []), "litert", "onnx"],
        "metrics": ["accuracy", "f1"],
        "model-index": [{"name": model.name, "results": [result]}],
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _licence(source: Source) -> dict[str, str]:
    """Return the data's licence, as weights come from data; the Hub takes an id and an address."""
    if not source.licence:
        return {"license": "unknown"}
    name = re.sub(r"[^a-z0-9.]+", "-", source.licence.lower()).strip("-")
    link = {"license_link": source.homepage} if source.homepage else {}
    return {"license": "other", "license_name": name, **link}


def _escaped(value: Any) -> Any:
    """Escape the special characters of Markdown and HTML: the name of a class may contain any."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    escaped = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", html.escape(" ".join(value.split()), quote=False))
    return Markup(escaped)  # noqa: S704  # escaped in the line above
