"""Download the data source's files: python -m stages.download"""

import os
from pathlib import Path

from digits.core.params import load_params
from digits.core.sources import FOLDER, load_source, source_files
from digits.core.stage import check_unchanged, run
from digits.download.fetch import fetch


def main(root: Path = Path()) -> None:
    name = load_params(root).data.source
    source = load_source(root, name)
    print(f"{name}: {source.title} (licence: {source.licence or 'not stated'})")
    check_unchanged()
    raw, mirror = root / "data/raw" / name, os.environ.get("DIGITS_MIRROR")
    fetch(source_files(source).values(), raw, source_folder=root / FOLDER / name, mirror=mirror)


if __name__ == "__main__":
    run(main, "data.source")
