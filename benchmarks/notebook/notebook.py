# mypy: ignore-errors
"""The course's trainings and figures with Estimators: python notebook.py MNIST FIGURES

Runs tasks 1 and 2 of the exercise with the settings of its solutions, in the order of its cells, and with the
API that it was written for, as far as TensorFlow 2.15 still has it. MNIST is the folder of the two CSV files;
figures go into FIGURES. Runs in an environment of its own (README.md beside this file).
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib import pyplot as plt
from sklearn import metrics

ROWS, TRAINING_ROWS, SIDE, CLASSES = 10_000, 7_500, 28, 10
PERIODS, STEPS, BATCH = 10, 1_000, 30


class ClippedAdagrad(tf.compat.v1.train.AdagradOptimizer):
    """Adagrad that clips the gradient of each variable; its accumulators start at 0.1."""

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        clipped = [(tf.clip_by_norm(gradient, 5.0), variable) for gradient, variable in grads_and_vars]
        return super().apply_gradients(clipped, global_step, name)


def main(mnist: Path, folder: Path) -> None:
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    np.random.seed(0)

    table = pd.read_csv(mnist / "mnist_train_small.csv", header=None).head(ROWS)
    labels, features = labels_and_features(table.iloc[np.random.permutation(len(table))])
    print(features.loc[:, 72:72].T)
    training = labels[:TRAINING_ROWS], features[:TRAINING_ROWS]
    validation = labels[TRAINING_ROWS:], features[TRAINING_ROWS:]
    for part in (*training, *validation):
        print(part.describe())
    row = np.random.randint(TRAINING_ROWS)
    plt.matshow(training[1].iloc[row].to_numpy().reshape(SIDE, SIDE))
    plt.title(f"Label: {training[0].iloc[row]}")
    save(folder / "example.png")
    test = labels_and_features(pd.read_csv(mnist / "mnist_test.csv", header=None))

    pixels = [tf.feature_column.numeric_column("pixels", shape=SIDE * SIDE)]
    estimator = tf.compat.v1.estimator
    with tempfile.TemporaryDirectory() as models:
        config = tf.estimator.RunConfig(tf_random_seed=0, keep_checkpoint_max=1)
        common = {"feature_columns": pixels, "n_classes": CLASSES, "config": config}
        adagrad = ClippedAdagrad(0.03)
        linear = estimator.LinearClassifier(model_dir=f"{models}/linear", optimizer=adagrad, **common)
        run("linear", linear, training, validation, test, folder)
        adagrad = ClippedAdagrad(0.05)
        dnn = estimator.DNNClassifier([100, 100], model_dir=f"{models}/dnn", optimizer=adagrad, **common)
        run("dnn", dnn, training, validation, test, folder)
        for name in dnn.get_variable_names():
            print(name, dnn.get_variable_value(name).shape)
        _, axes = plt.subplots(10, 10, figsize=(20, 20))
        for unit, ax in zip(dnn.get_variable_value("dnn/hiddenlayer_0/kernel").T, axes.flat, strict=True):
            ax.matshow(unit.reshape(SIDE, SIDE), cmap="plasma")
            ax.set_axis_off()
        save(folder / "dnn_weights.png")


def labels_and_features(table: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Return column 0, and the pixels scaled to 0–1."""
    return table[0], table.loc[:, 1:] / 255


def run(name, classifier, training, validation, test, folder) -> None:
    """Train in periods, each followed by predictions for all of both splits; then evaluate and draw."""
    losses = []
    for period in range(PERIODS):
        classifier.train(lambda: shuffled(*training), steps=STEPS // PERIODS)
        parts = (training, validation)
        losses.append([loss_of_classes(part[0], predict(classifier, *part)) for part in parts])
        print(f"{name}, period {period}: log loss of predicted classes, training, validation:", *losses[-1])
    plt.figure()
    plt.plot(losses, label=["training", "validation"])
    plt.gca().set(xlabel="Periods", ylabel="Log loss of predicted classes")
    plt.legend()
    save(folder / f"{name}_loss.png")

    for split, (labels, features) in (("validation", validation), ("test", test)):
        probabilities = predict(classifier, labels, features)
        predicted = probabilities.argmax(axis=1)
        scores = [metrics.accuracy_score(labels, predicted), metrics.log_loss(labels, probabilities)]
        scores.append(loss_of_classes(labels, probabilities))
        print(f"{name}, {split}: accuracy, log loss, log loss of predicted classes:", *scores, flush=True)
        if split == "validation":
            options = {"normalize": "true", "include_values": False}
            metrics.ConfusionMatrixDisplay.from_predictions(labels, predicted, **options)
            save(folder / f"{name}_confusion.png")


def shuffled(labels, features):
    """Return batches of the rows in a new random order, over and over."""
    order = np.random.permutation(len(labels))
    return batches(labels.iloc[order], features.iloc[order]).repeat()


def batches(labels, features):
    rows = {"pixels": features.to_numpy()}, labels.to_numpy()
    return tf.data.Dataset.from_tensor_slices(rows).batch(BATCH)


def predict(classifier, labels, features):
    """Return probabilities ``[n, classes]``."""
    answers = classifier.predict(lambda: batches(labels, features))
    return np.array([answer["probabilities"] for answer in answers])


def loss_of_classes(labels, probabilities) -> float:
    return metrics.log_loss(labels, np.eye(CLASSES)[probabilities.argmax(axis=1)])


def save(path: Path) -> None:
    plt.savefig(path)
    plt.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
