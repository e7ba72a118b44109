"""Fetch the data source's files as they are published: python -m stages.download"""

import os
from pathlib import Path

from digits.catalogue import load_source, source_files
from digits.fetch import fetch
from stages.params import load_params
from stages.runner import run


def main(root: Path = Path()) -> None:
    params = load_params(root).data
    source = load_source(root / "data/sources.yaml", params.source)
    print(f"{params.source}: {source.title} (licence: {source.licence or 'not stated'})")
    fetch(source_files(source), root / "data/raw", mirror=os.environ.get("DIGITS_MIRROR"))


if __name__ == "__main__":
    run(main)
