"""Feed mutated files to one reader: python -m tests.fuzzing.harness csv CORPUS -runs=1000

What takes a branch that none took before is mutated further (atheris, on LLVM's libFuzzer, whose options
follow). The readers are csv, idx, params, sources and split; CORPUS is a folder, which the seeds are put
in. An InputError of one line is an answer; anything else stops the run, with the input in crash-….
"""

import gzip
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["digits.", "stages.", "ruamel.yaml", "gzip", "zipfile"]):
    from digits.catalogue import load_source
    from digits.errors import InputError
    from digits.examples import Examples
    from digits.parsing import read_source
    from stages.params import load_params
from tests import tiny
from tests.conftest import REPOSITORY

EXAMPLES = tiny.examples(3, size=(2, 2), pixel_maximum=255)
#: What parts the two files of IDX in one input.
BETWEEN = b"|between|"
CSV = tiny.csv_bytes(EXAMPLES)
IDX = [tiny.idx_bytes(EXAMPLES.images), tiny.idx_bytes(EXAMPLES.labels)]
MAPPINGS = (
    b"a: &b [1, 2.5, 2020-01-01]\n? c\n: {<<: {d: !!int '3'}, e: *b}\n",
    b"- [[]]\n",
    b"a: !!set {b, c}\n",
)


def read_csv(folder: Path, content: bytes) -> object:
    (folder / "train.csv").write_bytes(content)
    return read_source(folder, tiny.csv_source(EXAMPLES))


def read_idx(folder: Path, content: bytes) -> object:
    images, _, labels = content.partition(BETWEEN)
    (folder / "images").write_bytes(images)
    (folder / "labels").write_bytes(labels)
    return read_source(folder, tiny.idx_source(EXAMPLES))


def read_params(folder: Path, content: bytes) -> object:
    (folder / "params.yaml").write_bytes(content)
    return load_params(folder)


def read_sources(folder: Path, content: bytes) -> object:
    (folder / "sources.yaml").write_bytes(content)
    return load_source(folder / "sources.yaml", "digits")


def read_split(folder: Path, content: bytes) -> object:
    (folder / "a.npz").write_bytes(content)
    return Examples.load(folder / "a.npz")


def _saved() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        EXAMPLES.save(Path(folder, "a.npz"))
        return Path(folder, "a.npz").read_bytes()


#: What mutation puts in, beside single bytes.
WORDS = [*"[{,:-?&*!|>%#'\"\\\n\r\t", "- ", "? ", "&b ", "*b", "<<: ", "---\n", "\ufeff", "\u00a0", "1e400"]
WORDS += [
    f"!!{tag} " for tag in ("int", "float", "bool", "null", "timestamp", "binary", "set", "omap", "str")
]

#: Each reader, and the good files that mutation begins with.
READERS: dict[str, tuple[Callable[[Path, bytes], object], list[bytes]]] = {
    "csv": (read_csv, [CSV, CSV.replace(b",", b".0, "), b"\xef\xbb\xbf" + CSV, gzip.compress(CSV, mtime=0)]),
    "idx": (read_idx, [BETWEEN.join(IDX), BETWEEN.join(gzip.compress(part, mtime=0) for part in IDX)]),
    "params": (read_params, [(REPOSITORY / "params.yaml").read_bytes(), *MAPPINGS]),
    "sources": (read_sources, [(REPOSITORY / "data/sources.yaml").read_bytes(), *MAPPINGS]),
    "split": (read_split, [_saved()]),
}


def main(name: str, corpus: Path, *options: str) -> None:
    read, seeds = READERS[name]
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    dictionary = corpus.parent / "words"
    dictionary.write_text(
        "".join('"' + "".join(rf"\x{byte:02x}" for byte in word.encode()) + '"\n' for word in WORDS)
    )
    folder = Path(tempfile.mkdtemp(dir=corpus.parent))

    def try_one(content: bytes) -> None:
        try:
            read(folder, content)
        except InputError as error:
            lines = str(error).split("\n")
            if not all([line] == line.splitlines() and ": found " in line for line in lines):
                raise AssertionError(f"not one line for each fault: {lines}") from error

    own = [f"-artifact_prefix={corpus.parent}/", f"-dict={dictionary}"]
    atheris.Setup([sys.argv[0], str(corpus), *own, *options], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
