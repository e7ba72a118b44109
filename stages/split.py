"""Parse the raw files and cut them into train, validation and test: python -m stages.split"""

from pathlib import Path

from digits.core.files import replacing_folder, write_json
from digits.core.params import load_params
from digits.core.sources import FOLDER, load_source
from digits.core.stage import check_unchanged, run
from digits.split.parsing import read_source
from digits.split.splitting import split, warnings_about


def main(root: Path = Path()) -> None:
    params = load_params(root).data
    source = load_source(root, params.source)
    source_folder, raw = root / FOLDER / params.source, root / "data/raw" / params.source
    examples, test = read_source(source, source_folder=source_folder, raw=raw)
    splits = split(
        examples,
        test,
        rows=params.rows,
        validation_fraction=params.validation_fraction,
        test_fraction=params.test_fraction,
        seed=params.seed,
    )
    with replacing_folder(root / "data/splits") as folder:
        for name, part in splits._asdict().items():
            part.save(folder / f"{name}.npz")
            print(f"{name}: {len(part)} images of {part.height} × {part.width}")
        check_unchanged()
    write_json(root / "metrics/data.json", {name: len(part) for name, part in splits._asdict().items()})
    for line in warnings_about(splits):
        print(line)


if __name__ == "__main__":
    run(main, "data")
