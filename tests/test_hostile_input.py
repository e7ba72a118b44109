"""Files, names and pictures made to do harm: refused in one line, or taken for the text that they are."""

import io
import json
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from digits.cli.framing import MOST_PIXELS, frame
from digits.cli.output import show
from digits.cli.predict import predict, read_picture
from digits.cli.report import card, page
from digits.cli.report.results import read_results
from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.model_input import ModelInput
from digits.core.sources import load_source
from digits.evaluate.inference import logits
from digits.train.export import save_tflite
from digits.train.network import build
from stages import explore
from tests import tiny
from tests.cli.test_predict import TAKES, stroke, with_size
from tests.conftest import REPOSITORY
from tests.finished import commit, finished
from tests.test_bad_input import entry, run_stage, sources

#: Runs a command if a shell ever sees it.
SHELL = "\"; touch harmed; $(touch harmed) `touch harmed`'; touch harmed #"
#: Clears a terminal and renames its window.
ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m"


class Harm:
    """What a pickle runs."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("harmed"),))


def test_a_split_of_objects_runs_no_pickle(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    path = workspace / "data/splits/train.npz"
    path.parent.mkdir(parents=True)
    images = np.array([Harm()], object)
    np.savez(path, images=images, labels=np.zeros(1), pixel_maximum=1, class_names=["a", "b"])
    with pytest.raises(InputError, match=r"train\.npz: found a damaged file \(Object arrays"):
        explore.main(workspace)
    assert not Path("harmed").exists()


class TestNames:
    @pytest.mark.parametrize(
        "url",
        [
            "..",
            "http://a/b\\..\\..\\c.csv",
            "http://a/" + ESCAPES,
        ],
    )
    def test_a_url_names_a_plain_file_or_is_refused(self, url: str, tmp_path: Path) -> None:
        sources(tmp_path, s=entry("csv", train={"urls": [url]}))
        with pytest.raises(InputError, match=r"source\.yaml, files\.train\.urls") as caught:
            load_source(tmp_path, "s")
        assert str(caught.value).isprintable()

    def test_what_is_said_of_a_source_steers_no_terminal(self, tmp_path: Path) -> None:
        sources(tmp_path, s=entry("csv", train={"urls": ["a.csv"]}) | {"title": ESCAPES})
        with pytest.raises(InputError, match="expected string should match pattern") as caught:
            load_source(tmp_path, "s")
        assert str(caught.value).isprintable()


class TestTheShell:
    def test_settings_are_text_to_the_stages(self, workspace: Path) -> None:
        """The source's name, its classes' and the file's place, as a shell would run them."""
        labelled = tiny.examples(100, classes=2, size=(8, 8))
        names = ['"; touch harmed #', "$(touch harmed)"]
        source = entry("csv", train={"urls": ["x.csv"]}) | {
            "height": 8,
            "width": 8,
            "pixel_maximum": 16,
            "title": SHELL,
            "class_names": names,
        }
        sources(workspace, **{SHELL: source})
        (workspace / "data/sources" / SHELL / "x.csv").write_bytes(tiny.csv_bytes(labelled))
        params = yaml.safe_load((workspace / "params.yaml").read_text())
        params["data"]["source"] = SHELL
        params["explore"]["pixel"] = 1
        (workspace / "params.yaml").write_text(yaml.safe_dump(params))
        (workspace / "metrics").mkdir()
        for stage in ("download", "split", "explore"):
            ended = run_stage(stage, workspace=workspace)
            assert (ended.returncode, ended.stderr) == (0, "")
        assert Examples.load(workspace / "data/splits/train.npz").class_names == tuple(names)
        assert not list(workspace.rglob("harmed"))

    def test_only_dvc_yaml_itself_reaches_the_shell(self) -> None:
        """DVC quotes nothing that it puts into a command: the models' names, of dvc.yaml, are code."""
        document = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())
        put_in = {name for at in document["stages"].values() for name in re.findall(r"\$\{.*?\}", at["cmd"])}
        assert put_in == {"${item.model}"}
        assert {stage["matrix"]["model"] for stage in document["stages"].values() if "matrix" in stage} == {
            "${models}"
        }
        (models,) = [at["models"] for at in document["vars"]]
        assert all(re.fullmatch("[a-z][a-z0-9_]*", model) for model in models)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained network ``dnn`` of ten classes."""
    root = tmp_path_factory.mktemp("trained")
    (root / "models/dnn").mkdir(parents=True)
    recipe = tiny.recipe(hidden_units=[5])
    model = build(recipe, height=28, width=28, pixel_maximum=255, classes=10)
    save_tflite(model, root / "models/dnn/model.tflite")
    return root


@pytest.fixture
def model(trained: Path) -> Path:
    TAKES.save(trained / "models/dnn/input.json")
    return trained


class TestTheTerminal:
    def said(self, *words: str, cwd: Path) -> tuple[int, str]:
        """Exit status, and all that a command prints."""
        ended = subprocess.run(
            [sys.executable, "-m", "digits", *words],
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return ended.returncode, ended.stdout.decode()

    def test_what_is_shown_on_a_terminal_steers_it_not(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        show(f"{ESCAPES}\n{ESCAPES}")
        said = capsys.readouterr().out
        assert said.count("owned") == said.count("\n") == 2
        assert not {"\x1b", "\x07", "\x9b"} & set(said)

    @pytest.mark.parametrize(
        "words",
        [("predict", f"none {ESCAPES}.png"), ("recipe", ESCAPES), ("compare", "--upload-pack=touch harmed")],
    )
    def test_arguments(self, words: tuple[str, ...], model: Path) -> None:
        status, said = self.said(*words, cwd=model)
        assert status in (1, 2)
        assert "Traceback" not in said
        assert not {"\x1b", "\x07"} & set(said.replace("\x1b[", ""))
        assert not list(model.rglob("harmed"))


def chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def png_with(*chunks: bytes) -> bytes:
    """A small PNG with more chunks after its header."""
    whole = io.BytesIO()
    stroke().save(whole, "PNG")
    return whole.getvalue()[:33] + b"".join(chunks) + whole.getvalue()[33:]


#: 64 kilobytes of 64 megabytes.
UNPACKS = zlib.compress(bytes(2**26))


class TestPictures:
    @pytest.mark.parametrize(
        ("content", "found"),
        [
            pytest.param(with_size(png_with(), 50_000), "too many pixels", id="vast PNG"),
            pytest.param(png_with(chunk(b"zTXt", b"a\0\0" + UNPACKS)), "damaged", id="zTXt"),
            pytest.param(png_with()[:-40], "damaged", id="cut PNG"),
            pytest.param(with_size(png_with(), 7_000), "damaged", id="promises more"),
            pytest.param(b"\x89PNG\r\n\x1a\n" + b"\xff" * 50, "no picture", id="nonsense"),
        ],
    )
    def test_a_harmful_one_is_refused(self, content: bytes, found: str, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(InputError, match=found) as caught:
            frame(read_picture(str(tmp_path / "a.png")), TAKES)
        assert "\n" not in str(caught.value)

    def test_a_large_one_gets_the_answer_of_a_small_one(self, tmp_path: Path) -> None:
        large = stroke((2_400, 1_800), (400, 600, 1600, 1000))
        assert large.width * large.height > MOST_PIXELS
        large.save(tmp_path / "a.png")
        found, plain = frame(read_picture(str(tmp_path / "a.png")), TAKES), frame(stroke(), TAKES)
        assert found
        assert plain
        assert np.abs(found.image.astype(int) - plain.image).max() <= 8

    @pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
    def test_memory_is_bounded(self, tmp_path: Path) -> None:
        Image.new("RGBA", (7_070, 7_070), (255, 255, 255, 9)).save(tmp_path / "a.png", compress_level=1)
        code = (
            "from digits.cli.predict import read_picture\n"
            "from digits.cli.framing import frame\n"
            "from digits.core.model_input import ModelInput\n"
            "frame(read_picture('a.png'), ModelInput(28, 28, 255, ('a', 'b'), 20, 'mass', (14, 14)))\n"
            "print(open('/proc/self/status').read())"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr
        most = re.search(r"VmHWM:\s*(\d+) kB", ended.stdout)
        assert most
        assert int(most[1]) < 700_000

    @pytest.mark.parametrize("kind", ["BMP", "JPEG"])
    def test_whatever_is_damaged_no_other_error_comes(self, kind: str, tmp_path: Path) -> None:
        whole = io.BytesIO()
        stroke((40, 30), (5, 5, 20, 10)).convert("P" if kind != "JPEG" else "L").save(whole, kind)
        random = np.random.default_rng(0)
        ends = set()
        for _ in range(300):
            content = bytearray(whole.getvalue())
            for place in random.integers(0, min(len(content), 300), random.integers(1, 4)):
                content[place] = random.integers(256)
            (tmp_path / "a").write_bytes(content)
            try:
                frame(read_picture(str(tmp_path / "a")), TAKES)
                ends.add("read")
            except InputError:
                ends.add("refused")
        assert ends == {"read", "refused"}


class TestWhatLiesBesideAModel:
    @pytest.mark.parametrize("classes", [9, 11])
    def test_more_or_fewer_classes_than_answers(self, classes: int, model: Path) -> None:
        names = tuple(map(str, range(classes)))
        takes = ModelInput(28, 28, 255, names, 20, "mass", (14.0, 14.0))
        stroke().save(model / "x.png")
        with pytest.raises(InputError, match=rf"input\.json: found names of {classes} classes, expected 10"):
            predict(str(model / "x.png"), takes, model / "models/dnn/model.tflite")

    def test_a_network_for_images_of_another_size(self, model: Path) -> None:
        takes = ModelInput(8, 8, 255, TAKES.class_names, 8, "mass", (4.0, 4.0))
        stroke().save(model / "x.png")
        with pytest.raises(InputError, match=r"model\.tflite: found a network for images of \(28, 28\)"):
            predict(str(model / "x.png"), takes, model / "models/dnn/model.tflite")

    def test_a_cut_network(self, model: Path, tmp_path: Path) -> None:
        whole = (model / "models/dnn/model.tflite").read_bytes()
        for size in (0, 3, 8, 100, len(whole) // 2, len(whole) - 1):
            (tmp_path / "model.tflite").write_bytes(whole[:size])
            with pytest.raises(InputError, match=r"model\.tflite: found"):
                logits(tmp_path / "model.tflite", np.zeros((2, 28, 28), np.uint8))


NAMES = ('</script><script>alert("1")</script>', "[a](javascript:alert(1))", "![x](http://x/y)`'\"")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose names and commits would be more than text."""
    said = {
        "title": "</title><script>alert(1)</script>",
        "licence": "](x) --- \"'",
        "homepage": "javascript:alert(1)",
    }
    folder = finished(tmp_path_factory.mktemp("pages"), class_names=NAMES, entry=said, linear={})
    commit(folder, "experiment: </script><img src=x onerror=alert(1)>")
    commit(folder, "</td><script>alert(2)</script> {{ 7 * 7 }}")
    return folder


class TestPages:
    def test_the_report(self, run: Path) -> None:
        text = page.page(read_results(run), run)
        assert len(re.findall("<script", text)) == 3  # the page's own
        assert "<img src=x" not in text
        assert not re.search("(?:href|src)=[\"']?javascript:", text)
        assert "&lt;/td&gt;&lt;script&gt;alert(2)&lt;/script&gt; {{ 7 * 7 }}" in text

    def test_the_model_card(self, run: Path) -> None:
        results = read_results(run)
        _, front, text = card.card(results.models[0], results).split("---\n", 2)
        assert yaml.safe_load(front)["license_name"] == "x"  # of an id's letters
        assert "<" not in text
        assert "](" not in text.replace("\\]", "")  # no link and no picture

    def test_an_input_json_of_other_classes(self, run: Path) -> None:
        path = run / "models/linear/input.json"
        before = path.read_text()
        try:
            path.write_text(json.dumps(json.loads(before) | {"class_names": ["a", "b"]}))
            with pytest.raises(InputError, match=r"input\.json: found classes .*, expected those of"):
                read_results(run)
        finally:
            path.write_text(before)
