"""The page of ``digits plots``, for a repository with this project's plots and made-up files."""

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from digits.cli.plots import main
from digits.core.errors import InputError
from tests.browser import skip_without_chromium, visit
from tests.conftest import REPOSITORY
from tests.finished import commit, dvc, git

#: The plots in dvc.yaml: charts by their names, and a folder with folders of figures in it.
PLOTS = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
CHARTS: dict[str, dict[str, Any]] = dict(
    item for plot in PLOTS if isinstance(plot, dict) for item in plot.items()
)
#: other.png differs between the revisions, same.png does not; both are wider than the page.
FIGURES = ["plots/data/other.png", "plots/data/same.png"]
#: A person may name a class as they like; the second would end the script that it stands in.
CLASSES = ["a", "</script><b>"]

#: For every chart of the page: its texts with their places, and how many lines and rectangles it has.
DRAWN = """() => [...document.querySelectorAll(".vega-embed svg.marks")].map(chart => [
    Object.fromEntries([...chart.querySelectorAll("text")].map(text => {
        const box = text.getBoundingClientRect();
        return [text.textContent, [box.x + box.width / 2, box.y + box.height / 2]];
    })),
    ...["line", "rect"].map(kind => [...chart.querySelectorAll(`.mark-${kind} path`)].filter(
        path => path.getTotalLength() > 50).length),
])"""


def is_confusion(chart: dict[str, Any]) -> bool:
    return str(chart.get("template", "")).startswith("confusion")


def write_outputs(root: Path, change: int) -> list[str]:
    """Write the files that plots read, with values that depend on ``change``; return the outputs' paths."""
    tables: dict[str, dict[Any, Any]] = {}
    for chart in CHARTS.values():
        ((source, columns),) = chart["y"].items()
        if is_confusion(chart):
            counts = [70000 + change, 0, 0, 0, 80000 + change, 0, 0, 0]
            tables[source] = {columns: CLASSES * 4, chart["x"]: sorted(CLASSES * 2) * 2, "count": counts}
            tables[source] |= {"split": ["validation"] * 4 + ["test"] * 4}
        else:
            steps = {column: [number + change, 2 * number] for number, column in enumerate(columns)}
            tables[source] = tables.get(source, {}) | steps | {chart["x"]: [0, 1]}
    for source, table in tables.items():
        (root / source).parent.mkdir(parents=True, exist_ok=True)
        with (root / source).open("w", newline="") as file:
            csv.writer(file).writerows([list(table), *zip(*table.values(), strict=True)])
    (root / "plots/data").mkdir(parents=True, exist_ok=True)
    for figure in FIGURES:
        Image.new("L", (2000 + change * ("other" in figure), 10)).save(root / figure)
    return [*tables, "plots/data"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tagged commits, ``before`` and ``after``, whose files are in DVC's cache."""
    root = tmp_path_factory.mktemp("plots")
    git(root, "init", "--quiet")
    dvc(root, "init")
    (root / "dvc.yaml").write_text(yaml.safe_dump({"plots": PLOTS}))
    shutil.copytree(REPOSITORY / ".dvc/plots", root / ".dvc/plots")
    for change, tag in enumerate(("before", "after")):
        dvc(root, "add", *write_outputs(root, change))
        commit(root, tag)
        git(root, "tag", tag)
    return root


def write_page(repository: Path, output: Path, *revisions: str) -> Path:
    assert main(list(revisions), output=output, open_page=False, root=repository) == 0
    return output


def test_a_revision_without_files_is_reported(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(repository), "clone")
    with pytest.raises(InputError, match="found no files of the plots"):
        write_page(tmp_path / "clone", tmp_path / "page.html", "before")
    with pytest.raises(InputError, match=r"dvc\.yaml: this file is not a web page"):
        write_page(repository, repository / "dvc.yaml")


def test_the_page_holds_all_that_it_needs(repository: Path, tmp_path: Path) -> None:
    page = write_page(repository, tmp_path / "new/page.html", "before", "after").read_text(encoding="utf-8")
    assert page.count('src="data:image/webp;base64,') == 3
    assert page.count(f"{FIGURES[1]}: the same in before and after<") == 1
    assert 'src="http' not in page
    assert page.count("</script>") == page.count("<script") == 1 + len(CHARTS)
    assert "<link" not in page


@pytest.mark.browser
@skip_without_chromium
@pytest.mark.parametrize("revisions", [(), ("before", "after")])
def test_every_plot_is_drawn_without_a_network(
    revisions: tuple[str, ...], repository: Path, tmp_path: Path
) -> None:
    names = revisions or ("workspace",)
    with visit(write_page(repository, tmp_path / "page.html", *revisions)) as seen:
        count = f"document.querySelectorAll('.vega-embed svg.marks').length == {len(CHARTS)}"
        seen.page.wait_for_function(count, timeout=20_000)
        drawn = seen.page.evaluate(DRAWN)
        widths = seen.page.evaluate("() => [...document.images].map(image => image.naturalWidth)")
        seen.page.set_viewport_size({"width": 400, "height": 900})
        assert seen.page.evaluate("document.documentElement.scrollWidth") == 400
    assert (seen.requests, seen.complaints) == ([], [])
    for (title, chart), (places, lines, rectangles) in zip(CHARTS.items(), drawn, strict=True):
        if is_confusion(chart):
            assert {title, *names, *CLASSES} <= places.keys()
            assert rectangles >= len(names) * 2 * len(CLASSES) ** 2
            for split, first in (("validation", 70000), ("test", 80000)):
                for name in names:  # each count stands below its revision, beside its split
                    x, y = places[str(first + (name != "before"))]
                    assert abs(x - places[name][0]) < 150
                    assert abs(y - places[split][1]) < 150
        else:
            (fields,) = chart["y"].values()
            assert title in places
            assert all(any(field in text for text in places) for field in fields)  # the legend is not cut
            assert lines == 2 * len(names) * len(fields)  # DVC draws each as it is, and smoothed
    assert widths == ([2000, 2001, 2000] if revisions else [2001, 2000])
