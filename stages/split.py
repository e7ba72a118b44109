"""Parse the raw files and cut them into train, validation and test: python -m stages.split"""

from pathlib import Path

from digits.catalogue import load_source
from digits.files import replacing_folder, write_json
from digits.parsing import read_source
from digits.splitting import oddities, split
from stages.params import load_params
from stages.runner import run


def main(root: Path = Path()) -> None:
    params = load_params(root).data
    source = load_source(root / "data/sources.yaml", params.source)
    examples, test = read_source(root / "data/raw", source)
    splits = split(
        examples,
        test,
        rows=params.rows,
        validation_fraction=params.validation_fraction,
        test_fraction=params.test_fraction,
        seed=params.seed,
    )
    summary = {
        "source": params.source,
        "title": source.title,
        "image_size": [source.height, source.width],
        "pixel_range": [0, source.pixel_maximum],
        "rows_read": len(examples) + (len(test) if test else 0),
        "rows": {name: len(part) for name, part in splits._asdict().items()},
        "rows_per_class": {name: part.rows_per_class() for name, part in splits._asdict().items()},
    }
    with replacing_folder(root / "data/splits") as folder:
        for name, part in splits._asdict().items():
            part.save(folder / f"{name}.npz")
            print(f"{name}: {len(part)} images of {part.height} × {part.width}")
    write_json(root / "metrics/data.json", summary)
    for line in oddities(splits):
        print(line)


if __name__ == "__main__":
    run(main)
