"""Divide a source's examples into train, validation and test."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digits.errors import InputError
from digits.examples import Examples, Images


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
        examples: what the source has for training.
        test: what the source has for testing; kept as it is.
        rows: how many of ``examples`` to use; all if there are fewer, or if None.
        validation_fraction: of these rows, in (0, 1).
        test_fraction: of all examples, in (0, 1); used only if ``test`` is None.
        seed: of both shuffles.

    Raises:
        InputError: a split, or a class of the training split, would be without examples.
    """
    if test is None:
        examples, test = _carve_out(examples, test_fraction, seed)
    count = len(examples) if rows is None else min(rows, len(examples))
    order = np.random.default_rng(seed).permutation(count)
    validation_count = round(count * validation_fraction)
    if not 0 < validation_count < count:
        raise InputError(
            "params.yaml, data.validation_fraction",
            found=f"{validation_fraction} of {count} rows, which leaves a split empty",
            expected="both train and validation to have rows",
            do="change the fraction, or data.rows",
        )
    splits = Splits(
        train=examples.take(order[: count - validation_count]),
        validation=examples.take(order[count - validation_count :]),
        test=test,
    )
    missing = [name for name, rows in splits.train.rows_per_class().items() if rows == 0]
    if missing:
        raise InputError(
            "data/splits/train.npz",
            found=f"no example of class {', '.join(missing)} in {len(splits.train)} rows",
            expected="some of every class",
            do="raise data.rows, or name only the classes that the data has in data/sources.yaml",
        )
    return splits


def _carve_out(examples: Examples, fraction: float, seed: int) -> tuple[Examples, Examples]:
    """The examples without, and a stratified part of them as, the test split."""
    # Imported here: a source that has test examples should not wait for scikit-learn.
    from sklearn.model_selection import train_test_split

    try:
        rest, carved = train_test_split(
            np.arange(len(examples)),
            test_size=fraction,
            random_state=seed,
            stratify=examples.labels,
        )
    except ValueError as error:
        raise InputError(
            "params.yaml, data.test_fraction",
            found=f"{fraction} of {len(examples)} rows ({error})",
            expected="a stratified test split to be possible",
            do="change the fraction, or give the source a test file",
        ) from None
    return examples.take(np.sort(rest)), examples.take(np.sort(carved))


def oddities(splits: Splits) -> list[str]:
    """What may be right and seldom is, a line for each: nothing to stop for, but to be told.

    Images that two splits share make a score better than it is; a class without examples has none.
    """
    lines = []
    train = _Sought(splits.train.images)
    tones = np.arange(splits.train.pixel_maximum + 1, dtype=np.uint8)
    blank = _Sought(np.broadcast_to(tones[:, None, None], (len(tones), *splits.train.images.shape[1:])))
    for name, part in splits._asdict().items():
        if missing := [of for of, rows in part.rows_per_class().items() if rows == 0]:
            lines.append(f"warning: {name} has no example of class {', '.join(missing)}")
        sums = train.sums if name == "train" else _sums(part.images)
        if name != "train" and (copies := train.count(part.images, sums)):
            lines.append(f"warning: {copies} of {len(part)} {name} images are in train too, pixel by pixel")
        if sums.count(sums[0]) == len(sums) > 1 and (part.images == part.images[0]).all():
            lines.append(f"warning: all {len(part)} {name} images are alike")
        if blanks := blank.count(part.images, sums):
            lines.append(f"note: {blanks} of {len(part)} {name} images are blank: all pixels of one value")
    return lines


class _Sought:
    """Images to be found among others: by sums, some milliseconds for 70,000; the few left, in full."""

    def __init__(self, images: Images) -> None:
        self.images, self.sums = images, _sums(images)
        self._known = set(self.sums)

    def count(self, images: Images, sums: list[int]) -> int:
        """How many of ``images``, which have these sums, are among those sought."""
        shared = self._known.intersection(sums)
        if not shared:
            return 0
        pixels = {self.images[row].tobytes() for row, of in enumerate(self.sums) if of in shared}
        return sum(of in shared and images[row].tobytes() in pixels for row, of in enumerate(sums))


def _sums(images: Images) -> list[int]:
    """A number for each image, the same for the same pixels: eight at a time are added up as one integer."""
    pixels = images.reshape(len(images), -1)
    whole = pixels.shape[1] // 8 * 8
    words: NDArray[np.uint64] = np.ascontiguousarray(pixels[:, :whole]).view(np.uint64)
    sums: list[int] = words.sum(axis=1, dtype=np.uint64).tolist()
    return sums
