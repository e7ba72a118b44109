"""Divide a source's examples into train, validation and test."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digits.core.errors import InputError
from digits.core.examples import Examples, Images, Labels


class Splits(NamedTuple):
    """The train, validation and test splits."""

    train: Examples
    validation: Examples
    test: Examples


def split(
    examples: Examples,
    test: Examples | None,
    *,
    rows: int | None,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
) -> Splits:
    """Shuffle the first ``rows`` examples and cut them: the last part becomes the validation split.

    As in the course: take the first rows, shuffle, cut. If the source has no test examples, a stratified
    ``test_fraction`` of all its examples is set aside first, so that the test split doesn't depend on
    ``rows`` and ``validation_fraction``.

    Args:
        examples: the source's training examples.
        test: the source's test examples, used unchanged; None if it has none.
        rows: how many of ``examples`` to use; all if there are fewer, or if None.
        validation_fraction: of these rows, in (0, 1).
        test_fraction: of all examples, in (0, 1); used only if ``test`` is None.
        seed: of both shuffles.
    """
    available = np.arange(len(examples))
    if test is None:
        available, test_rows = _split_off_test(examples.labels, test_fraction, seed)
        test = examples.take(test_rows)
    count = len(available) if rows is None else min(rows, len(available))
    order = available[np.random.default_rng(seed).permutation(count)]
    validation_count = round(count * validation_fraction)
    if not 0 < validation_count < count:
        problem = f"{validation_fraction} of {count} rows leaves the train or the validation split empty"
        raise InputError("params.yaml, data.validation_fraction", problem, "Change it, or data.rows")
    train, validation = np.split(order, [count - validation_count])
    splits = Splits(examples.take(train), examples.take(validation), test)
    missing = [name for name, rows in splits.train.rows_per_class().items() if rows == 0]
    if missing:
        problem = f"no example of class {', '.join(missing)} in {len(splits.train)} rows"
        fix = "Raise data.rows; or in source.yaml set first_label, or name only the classes of the data"
        raise InputError("data/splits/train.npz", problem, fix)
    return splits


def _split_off_test(labels: Labels, fraction: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows that stay for training and validation, and those of a stratified test split."""
    # Imported here: a source that has test examples should not wait for scikit-learn.
    from sklearn.model_selection import train_test_split

    try:
        options = {"test_size": fraction, "random_state": seed, "stratify": labels}
        others, test = train_test_split(np.arange(len(labels)), **options)
    except ValueError as error:
        problem = f"{fraction} of {len(labels)} rows make no stratified test split ({error})"
        fix = "Change it, or give the source a test file"
        raise InputError("params.yaml, data.test_fraction", problem, fix) from None
    return np.sort(others), np.sort(test)


def warnings_about(splits: Splits) -> list[str]:
    """Warnings about suspicious splits, a line for each.

    Images in two splits make a score too good. A class without examples has no score. Images should be like
    the pictures that ``digits predict`` prepares: light ink of pixel_maximum on a dark background.
    """
    lines = []
    highest, maximum = int(splits.train.images.max()), splits.train.pixel_maximum
    if 0 < highest < maximum / 2:
        lines.append(
            f"warning: the highest pixel of train is {highest} of {maximum}:"
            f" if that is full ink, set pixel_maximum: {highest} in source.yaml"
        )
    if np.median(splits.train.edges) > maximum / 2:
        lines.append(
            "warning: most pixels at the edges of train images are high, as on light paper:"
            " if the ink is dark, set inverted: true in source.yaml; if it is light, remove inverted"
        )
    hashes = {name: _hashes(part.images) for name, part in splits._asdict().items()}
    train_images = set(hashes["train"])
    for name, part in splits._asdict().items():
        if missing := [label for label, rows in part.rows_per_class().items() if rows == 0]:
            lines.append(f"warning: {name} has no example of class {', '.join(missing)}")
        if name != "train" and (copies := sum(image in train_images for image in hashes[name])):
            lines.append(f"warning: {copies} of {len(part)} {name} images are in train too, as exact copies")
        if len(part) > 1 and len(set(hashes[name])) == 1:
            lines.append(f"warning: all {len(part)} {name} images are identical")
        if blank := int((np.ptp(part.images, axis=(1, 2)) == 0).sum()):
            lines.append(f"note: {blank} of {len(part)} {name} images are blank: all pixels of one value")
    return lines


def _hashes(images: Images) -> list[int]:
    """A number for each image, the same for the same pixels."""
    return [hash(image.tobytes()) for image in images]
