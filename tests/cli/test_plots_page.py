"""The page of ``digits plots``, for a repository with this project's plots and made-up files."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from digits.cli.plots import main
from digits.core.errors import InputError
from tests.browser import needs_browser, opened
from tests.conftest import REPOSITORY

#: What dvc.yaml says of plots: charts by their names, and a folder with folders of figures in it.
PLOTS = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
CHARTS: dict[str, dict[str, Any]] = dict(
    item for plot in PLOTS if isinstance(plot, dict) for item in plot.items()
)
#: The first of which differs between the revisions; both are wider than the page.
FIGURES = [f"{plot}/data/{name}.png" for plot in PLOTS if isinstance(plot, str) for name in ("other", "same")]
OUTPUT = Path(FIGURES[0]).parent.as_posix()

#: A person may name a class as they like; the second would end the script that it stands in.
CLASSES = ["a", "</script><b>"]
STEPS = 4

#: For every chart of the page: its text, how many lines and rectangles are drawn in it, where texts stand.
DRAWN = """() => [...document.querySelectorAll(".vega-embed svg.marks")].map(chart => [
    chart.textContent,
    [...chart.querySelectorAll(".mark-line path")].filter(path => path.getTotalLength() > 50).length,
    [...chart.querySelectorAll(".mark-rect path")].filter(path => path.getTotalLength() > 50).length,
    Object.fromEntries([...chart.querySelectorAll("text")].map(text => {
        const box = text.getBoundingClientRect();
        return [text.textContent, [box.x + box.width / 2, box.y + box.height / 2]];
    })),
])"""
WIDTHS = "() => [...document.images].map(image => image.naturalWidth)"


def done(*words: str, cwd: Path) -> None:
    identity = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = os.environ | identity | {"DVC_NO_ANALYTICS": "1"}
    process = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr


def confused(how: dict[str, Any]) -> bool:
    return str(how.get("template", "")).startswith("confusion")


def write_outputs(root: Path, change: int) -> list[str]:
    """A file for each that a plot reads, by ``change``; what a stage would name as its outputs."""
    tables: dict[str, dict[str, list[Any]]] = {}
    for how in CHARTS.values():
        for source, columns in how["y"].items():
            table = tables.setdefault(source, {})
            if confused(how):
                table |= {columns: CLASSES * 4, how["x"]: sorted(CLASSES * 2) * 2}
                table["split"] = ["validation"] * 4 + ["test"] * 4
                table["count"] = [70000 + change, 0, 0, 0, 80000 + change, 0, 0, 0]
                continue
            for number, column in enumerate(columns):
                table[column] = [step + number + change for step in range(STEPS)]
            table[how["x"]] = list(range(STEPS))
    for source, table in tables.items():
        (root / source).parent.mkdir(parents=True, exist_ok=True)
        with (root / source).open("w", newline="") as file:
            csv.writer(file).writerows([list(table), *zip(*table.values(), strict=True)])
    for figure in FIGURES:
        (root / figure).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2000 + change * ("other" in figure), 10)).save(root / figure)
    return [*tables, *{str(Path(figure).parent) for figure in FIGURES}]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tagged commits, ``before`` and ``after``, whose files are in DVC's cache."""
    root = tmp_path_factory.mktemp("plots")
    done("git", "init", "--quiet", cwd=root)
    done(sys.executable, "-m", "dvc", "init", "--quiet", cwd=root)
    (root / "dvc.yaml").write_text(yaml.safe_dump({"plots": PLOTS}))
    shutil.copytree(REPOSITORY / ".dvc/plots", root / ".dvc/plots")
    for change, tag in enumerate(("before", "after")):
        done(sys.executable, "-m", "dvc", "add", "--quiet", *write_outputs(root, change), cwd=root)
        done("git", "add", ".", cwd=root)
        done("git", "commit", "--quiet", "-m", tag, cwd=root)
        done("git", "tag", tag, cwd=root)
    return root


def written(repository: Path, output: Path, *revisions: str) -> Path:
    assert main(list(revisions), output=output, open_page=False, root=repository) == 0
    return output


def test_a_revision_without_files_is_named(repository: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    done("git", "clone", "--quiet", str(repository), str(clone), cwd=tmp_path)
    with pytest.raises(InputError, match="nothing to plot"):
        main(["before"], output=tmp_path / "page.html", open_page=False, root=clone)


def test_the_page_holds_all_that_it_needs(repository: Path, tmp_path: Path) -> None:
    page = written(repository, tmp_path / "new/page.html", "before", "after").read_text(encoding="utf-8")
    assert page.count('src="data:image/webp;base64,') == 3
    assert page.count(f"{FIGURES[1]}: the same in before and after<") == 1
    assert 'src="http' not in page
    assert page.count("</script>") == page.count("<script") == 1 + len(CHARTS)
    assert "<link" not in page


@pytest.mark.parametrize(
    ("revisions", "output", "line"),
    [
        (["no-such"], "page.html", "no-such: found no such revision, expected a git commit"),
        ([], f"{OUTPUT}/page.html", f"found a place in {OUTPUT}, expected"),
        ([], "dvc.yaml", "dvc.yaml: found a file that is no page"),
    ],
)
def test_bad_input_is_named(
    revisions: list[str], output: str, line: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    with pytest.raises(InputError, match=line):
        written(repository, Path(output), *revisions)


@needs_browser[0]
@needs_browser[1]
@pytest.mark.parametrize("revisions", [(), ("before", "after")])
def test_every_plot_is_drawn_without_a_network(
    revisions: tuple[str, ...], repository: Path, tmp_path: Path
) -> None:
    names = revisions or ("workspace",)
    with opened(written(repository, tmp_path / "page.html", *revisions)) as seen:
        count = f"document.querySelectorAll('.vega-embed svg.marks').length == {len(CHARTS)}"
        seen.page.wait_for_function(count, timeout=20_000)
        drawn = seen.page.evaluate(DRAWN)
        widths = seen.page.evaluate(WIDTHS)
        for width in (400, 1300):
            seen.page.set_viewport_size({"width": width, "height": 900})
            assert seen.page.evaluate("document.documentElement.scrollWidth") == width
    assert seen.requests == []
    assert seen.complaints == []
    for (title, how), (text, lines, rectangles, places) in zip(CHARTS.items(), drawn, strict=True):
        assert title in text
        assert all(name in text for name in names)
        if confused(how):
            assert all(name in text for name in CLASSES)
            assert rectangles >= len(names) * 2 * len(CLASSES) ** 2
            for split, first in (("validation", 70000), ("test", 80000)):
                for name in names:  # each count stands below its revision, beside its split
                    x, y = places[str(first + (name != "before"))]
                    assert abs(x - places[name][0]) < 150
                    assert abs(y - places[split][1]) < 150
        else:
            (fields,) = how["y"].values()
            assert all(name in text for name in fields)  # the legend is not cut
            assert lines == 2 * len(names) * len(fields)  # DVC draws each as it is, and smoothed
    assert widths == ([2000, 2001, 2000] if revisions else [2001, 2000])
