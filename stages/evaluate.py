"""Score one classifier on the validation and test splits: python -m stages.evaluate linear|dnn"""

from pathlib import Path

from digits.evaluation import Answers, per_class, summary
from digits.examples import Examples
from digits.files import write_csv, write_json
from digits.inference import logits
from digits.predictions import save_predictions
from stages.runner import run


def main(model: str, root: Path = Path()) -> None:
    for split in ("validation", "test"):
        examples = Examples.load(root / f"data/splits/{split}.npz")
        scores = logits(root / "models" / model / "model.tflite", examples.images)
        answers = Answers.from_logits(examples.labels, scores)
        figures = summary(answers)
        print(f"{split}: accuracy {figures['accuracy']:.4f}, log loss {figures['log_loss']:.4f}")

        metrics = root / "metrics" / model
        write_json(metrics / f"{split}.json", figures)
        write_csv(
            metrics / f"{split}_classes.csv",
            ["class", "precision", "recall", "f1", "examples"],
            per_class(answers, examples.class_names),
        )
        save_predictions(answers, examples.class_names, root / "predictions" / model / f"{split}.csv")


if __name__ == "__main__":
    run(main)
