"""Score one classifier on the validation and test splits: python -m stages.evaluate MODEL"""

from pathlib import Path

import numpy as np

from digits.core.examples import Examples
from digits.core.files import replacing_folder, write_csv
from digits.core.stage import check_unchanged, run
from digits.evaluate.environment import note_environment
from digits.evaluate.inference import logits
from digits.evaluate.metrics import Answers
from digits.evaluate.scores import SPLITS, Scores, save_metrics, save_scores


def main(model: str, root: Path = Path()) -> None:
    scores, confusion = {}, []
    with replacing_folder(root / "predictions" / model) as folder:
        for split in SPLITS:
            examples = Examples.load(root / f"data/splits/{split}.npz")
            outputs = logits(root / "models" / model / "model.tflite", examples.images)
            answers = Answers.from_logits(examples.labels, outputs)
            names, predictions = examples.class_names, answers.predictions(examples.class_names)
            predictions.save(folder / f"{split}.csv")
            for (actual, predicted), count in np.ndenumerate(predictions.confusion()):
                confusion.append((split, names[actual], names[predicted], count))
            scores[split] = Scores.of(answers, names)
            metrics = scores[split].metrics
            print(f"{model}, {split}: accuracy {metrics['accuracy']:.4f}, log loss {metrics['log_loss']:.4f}")
        save_scores(scores, folder / "scores.json")
        # For DVC's confusion plot: the number of rows doesn't depend on that of images.
        write_csv(folder / "confusion.csv", ("split", "actual", "predicted", "count"), confusion)
        check_unchanged()
    path = root / "metrics" / f"{model}.json"
    save_metrics(scores, path)
    note_environment(path, root)


if __name__ == "__main__":
    run(main)
