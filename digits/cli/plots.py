"""The charts of ``dvc plots`` as one HTML file that needs no network."""

import base64
import html
import io
import mimetypes
import re
import sys
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import vl_convert
from dvc.render.match import match_defs_renderers
from dvc.repo import Repo
from PIL import Image

from digits.cli.output import check_page
from digits.cli.report.pictures import image_url
from digits.cli.revisions import WORKSPACE, commit_of, open_repo
from digits.core.errors import InputError
from digits.core.files import replacing

# The policy is the browser's own word that nothing is fetched, whatever a chart asks for.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; overflow-wrap: anywhere }}
h1 {{ font-size: 1.2em }}
.vega-embed {{ max-width: 100%; margin-bottom: 1em; overflow-x: auto; vertical-align: top }}
.pictures {{ display: flex; flex-wrap: wrap; gap: 0 1em }}
figure {{ margin: 1em 0 }}
img {{ max-width: 100% }}
</style>
<script>{vega}</script>
</head>
<body>
<h1>{title}</h1>
{plots}
</body>
</html>
"""


def main(revisions: list[str], *, output: Path, open_page: bool, root: Path = Path()) -> int:
    """Write the page: the workspace's plots, or those of the revisions over each other.

    A single revision is shown against the workspace, as ``dvc plots diff`` does.

    Raises:
        InputError: there is no such revision, nothing to plot, or the page would lie in a stage's output.
    """
    with open_repo(root) as repo:
        _check(repo, revisions, output)
        data = repo.plots.diff(revs=list(revisions)) if revisions else repo.plots.show()
        matched = match_defs_renderers(data, templates_dir=repo.plots.templates_dir)
    renderers = [found.renderer for found in matched if found.renderer.datapoints]
    names = ", ".join(data) or ", ".join(revisions) or WORKSPACE
    if not renderers:
        raise InputError(
            names,
            found="nothing to plot",
            expected="plots in dvc.yaml, and their files in the workspace or in DVC's cache",
            do="dvc pull or dvc repro brings the files",
        )
    for revision in data:
        failed = [plot for plot in matched if revision in {*plot.source_errors, *plot.definition_errors}]
        if lacking := ", ".join(plot.renderer.name for plot in failed):
            print(f"{revision} lacks all or a part of: {lacking}", file=sys.stderr)
    renderers.sort(key=lambda renderer: bool(renderer.TYPE == "image"))  # as on DVC's page
    with replacing(output) as partial:
        partial.write_text(page(f"Plots: {names}", renderers), encoding="utf-8")
    images = sum(renderer.TYPE == "image" for renderer in renderers)
    address = output.resolve().as_uri()
    print(f"{len(renderers) - images} charts and {images} images of {names}: {address}")
    if open_page:
        webbrowser.open(address)
    return 0


def page(title: str, renderers: Sequence[Any]) -> str:
    """A whole HTML document: Vega, DVC's charts, and pictures as data URLs."""
    plots = [
        _pictures(renderer)
        if renderer.TYPE == "image"
        else renderer.DIV.format(id=f"plot-{number}", partial=_in_script(renderer.partial_html()))
        for number, renderer in enumerate(renderers)
    ]
    return PAGE.format(title=html.escape(title), vega=_in_script(_vega()), plots="\n".join(plots))


def _pictures(renderer: Any) -> str:
    """Return the picture of each revision, and just one where they are the same."""
    revisions: dict[str, list[str]] = {}
    for point in renderer.datapoints:
        revisions.setdefault(point[renderer.SRC_FIELD], []).append(point[renderer.TITLE_FIELD])
    figures = []
    for source, names in revisions.items():
        same = "the same in " if len(names) > 1 else ""
        caption = html.escape(f"{renderer.name}: {same}{' and '.join(names)}")
        url = _url(renderer.name, source.partition(",")[2])
        figures.append(f'<figure><figcaption>{caption}</figcaption><img src="{url}"></figure>')
    return f'<div class="pictures">{"".join(figures)}</div>'


def _url(name: str, content: str) -> str:
    """Return a picture's ``data:`` URL, of a PNG as WebP, which takes a third of the bytes."""
    kind = mimetypes.guess_type(name)[0]
    if kind == "image/png":
        with suppress(OSError), Image.open(io.BytesIO(base64.b64decode(content))) as image:
            return image_url(image)
    return f"data:{kind};base64,{content}"


def _vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script, which defines what DVC's charts call: ``vegaEmbed``."""
    # The menu of a chart would offer to send its data to the Vega editor on the web.
    # Legends below a chart, an entry in a line, leave it as narrow as it can be.
    legend = "{orient: 'bottom', columns: 1, labelLimit: 0}"
    options = f"{{actions: {{editor: false}}, config: {{legend: {legend}}}}}"
    call = f"window.vegaEmbed = (at, chart) => vegaEmbed(at, chart, {options});"
    # It is written as a module, whose names are its own; DVC's charts make global ones.
    return f"(() => {{{vl_convert.javascript_bundle(call)}}})();"


def _in_script(code: str) -> str:
    """The same JavaScript or JSON, without what would end or confuse an HTML script element."""
    return re.sub(r"<(?=/script|script|!--)", r"\\x3C", code, flags=re.IGNORECASE)


def _check(repo: Repo, revisions: list[str], output: Path) -> None:
    check_page(output)
    for revision in revisions:
        commit_of(repo, revision)
    for out in repo.index.outs:
        if output.resolve().is_relative_to(out.fs_path):
            raise InputError(
                output, found=f"a place in {out}", expected="one that no stage writes", do="name another"
            )
