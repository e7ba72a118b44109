"""Divide a source's examples into train, validation and test."""

from typing import NamedTuple

import numpy as np

from digits.core.errors import InputError
from digits.core.examples import Examples, Images


class Splits(NamedTuple):
    """The three splits, by the names under which the field knows them."""

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
    """The first ``rows`` examples shuffled, then cut: the last part of them is validation.

    The order is the course's: take, shuffle, cut. A source without test examples gives up a
    stratified ``test_fraction`` of all its examples before that, so that the test split is the
    same whatever ``rows`` and ``validation_fraction`` are.

    Args:
        examples, test: what the source has for training, and for testing, which is kept as it is.
        rows: how many of ``examples`` to use; all if there are fewer, or if None.
        validation_fraction: of these rows, in (0, 1).
        test_fraction: of all examples, in (0, 1); used only if ``test`` is None.
        seed: of both shuffles.
    """
    if test is None:
        examples, test = _carve_out(examples, test_fraction, seed)
    count = len(examples) if rows is None else min(rows, len(examples))
    order = np.random.default_rng(seed).permutation(count)
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


def _carve_out(examples: Examples, fraction: float, seed: int) -> tuple[Examples, Examples]:
    """The examples without, and a stratified part of them as, the test split."""
    # Imported here: a source that has test examples should not wait for scikit-learn.
    from sklearn.model_selection import train_test_split

    try:
        options = {"test_size": fraction, "random_state": seed, "stratify": examples.labels}
        rest, carved = train_test_split(np.arange(len(examples)), **options)
    except ValueError as error:
        problem = f"{fraction} of {len(examples)} rows make no stratified test split ({error})"
        fix = "Change it, or give the source a test file"
        raise InputError("params.yaml, data.test_fraction", problem, fix) from None
    return examples.take(np.sort(rest)), examples.take(np.sort(carved))


def warnings_about(splits: Splits) -> list[str]:
    """Warnings about suspicious splits, a line for each.

    Images that two splits share make a score better than it is; a class without examples has none.
    ``digits predict`` turns pictures into light ink of pixel_maximum on dark, as the images should be.
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
            "warning: most pixels at the edges of train are high, as light paper's are:"
            " if the ink is dark, set inverted: true in source.yaml, or else remove it there"
        )
    train_images = set(_hashes(splits.train.images))
    for name, part in splits._asdict().items():
        if missing := [label for label, rows in part.rows_per_class().items() if rows == 0]:
            lines.append(f"warning: {name} has no example of class {', '.join(missing)}")
        hashes = _hashes(part.images)
        if name != "train" and (copies := sum(image in train_images for image in hashes)):
            lines.append(f"warning: {copies} of {len(part)} {name} images are in train too, pixel by pixel")
        if len(part) > 1 and len(set(hashes)) == 1:
            lines.append(f"warning: all {len(part)} {name} images are alike")
        pixels = part.images.reshape(len(part), -1)
        if blank := int((pixels == pixels[:, :1]).all(axis=1).sum()):
            lines.append(f"note: {blank} of {len(part)} {name} images are blank: all pixels of one value")
    return lines


def _hashes(images: Images) -> list[int]:
    """A number for each image, the same for the same pixels."""
    return [hash(image.tobytes()) for image in images]
