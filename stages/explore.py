"""Summarize and draw the training and validation data: python -m stages.explore"""

from pathlib import Path

import numpy as np

from digits.core.examples import Examples
from digits.core.files import replacing_folder
from digits.core.params import load_params
from digits.core.stage import check_unchanged, run
from digits.explore import summaries
from digits.figures import data as figures
from digits.figures.style import save

#: Images of each class on the contact sheet.
PER_CLASS = 10
#: Seed for choosing images at random.
SEED = 0


def main(root: Path = Path()) -> None:
    params = load_params(root).explore
    splits = {name: Examples.load(root / f"data/splits/{name}.npz") for name in ("train", "validation")}
    train = splits["train"]
    place = summaries.pixel_position(params.pixel, train)
    with replacing_folder(root / "tables/data") as folder:
        for name, split in splits.items():
            summaries.save_description(split, folder, name)

    with replacing_folder(root / "plots/data") as folder:
        counts = {name: split.rows_per_class() for name, split in splits.items()}
        save(figures.class_counts(counts, "Examples of each class"), folder / "classes.png")

        number = int(np.random.default_rng(SEED).integers(len(train)))
        label = train.class_names[train.labels[number]]
        title = f"Training example {number}: labelled {label}"
        save(figures.example(train.images[number], train.pixel_maximum, title), folder / "example.png")

        rows = summaries.sample_per_class(train, PER_CLASS, SEED)
        figure = figures.contact_sheet(train, rows, "Training examples of each class")
        save(figure, folder / "contact_sheet.png")

        shares = summaries.ink_frequency(train)
        title = f"How often a pixel has ink (pixel {params.pixel}: {shares[place]:.1%})"
        save(figures.pixel_frequency(shares, place, title), folder / "pixel_frequency.png")

        values = train.images[:, *place]
        where = "row {}, column {}".format(*place)
        title = f"Values of pixel {params.pixel} ({where}) in {len(train)} training images"
        save(figures.pixel_values(values, train.pixel_maximum, title), folder / "pixel_values.png")

        means, deviations = summaries.class_statistics(train)
        figure = figures.class_images(means, deviations, train.class_names, "Training images by class")
        save(figure, folder / "class_images.png")
        check_unchanged()


if __name__ == "__main__":
    run(main, "explore")
