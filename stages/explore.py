"""Summarise and draw the training and validation data: python -m stages.explore"""

from pathlib import Path

import numpy as np

from digits import figures
from digits.examples import Examples
from digits.exploration import (
    class_statistics,
    describe,
    ink_frequency,
    pixel_position,
    sample_per_class,
)
from digits.files import replacing, replacing_folder
from stages.params import load_params
from stages.runner import run


def main(root: Path = Path()) -> None:
    params = load_params(root).explore
    splits = {name: Examples.load(root / f"data/splits/{name}.npz") for name in ("train", "validation")}
    train = splits["train"]
    row, column = pixel_position(params.pixel, train)

    with replacing_folder(root / "plots/data") as folder:
        for name, split in splits.items():
            for kind, table in zip(("features", "labels"), describe(split), strict=True):
                with replacing(folder / f"{name}_{kind}.csv") as partial:
                    table.to_csv(partial, float_format="%.6g", lineterminator="\n")

        counts = {name: split.rows_per_class() for name, split in splits.items()}
        figures.save(figures.class_counts(counts, "Examples of each class"), folder / "classes.png")

        number = int(np.random.default_rng(params.seed).integers(len(train)))
        label = train.class_names[train.labels[number]]
        title = f"Training example {number}: labelled {label}"
        figures.save(
            figures.example(train.images[number], train.pixel_maximum, title),
            folder / "example.png",
        )

        rows = sample_per_class(train, params.per_class, params.seed)
        sheet = figures.contact_sheet(train, rows, "Training examples of each class")
        figures.save(sheet, folder / "contact_sheet.png")

        shares = ink_frequency(train)
        title = f"How often a pixel has ink (pixel {params.pixel}: {shares[row, column]:.1%})"
        figures.save(figures.pixel_frequency(shares, (row, column), title), folder / "pixel_frequency.png")

        title = f"Values of pixel {params.pixel} (row {row}, column {column}) in {len(train)} training images"
        values = figures.pixel_values(train.images[:, row, column], train.pixel_maximum, title)
        figures.save(values, folder / "pixel_values.png")

        means, deviations = class_statistics(train)
        figure = figures.class_images(means, deviations, train.class_names, "Training images by class")
        figures.save(figure, folder / "class_images.png")
    print(f"plots/data: {len(list((root / 'plots/data').glob('*.png')))} figures, 4 tables")


if __name__ == "__main__":
    run(main)
