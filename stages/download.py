"""Fetch the data source's files as they are published: python -m stages.download"""

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
    own, raw, mirror = root / FOLDER / name, root / "data/raw" / name, os.environ.get("DIGITS_MIRROR")
    fetch(source_files(source).values(), raw, own=own, mirror=mirror)


if __name__ == "__main__":
    run(main, "data.source")
