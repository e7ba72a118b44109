"""Write the charts of ``dvc plots`` as one HTML file that needs no network: digits plots"""

import base64
import html
import io
import re
import webbrowser
from pathlib import Path
from typing import Any

import vl_convert
from dvc.render.match import match_defs_renderers
from dvc.repo import Repo
from PIL import Image

from digits.cli.git import commit_of
from digits.cli.output import check_page
from digits.cli.report.rendering import image_url
from digits.cli.state import check_state
from digits.core.errors import InputError
from digits.core.files import replacing

# With this Content-Security-Policy the browser fetches nothing, whatever a chart asks for.
PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; overflow-wrap: anywhere }}
.vega-embed {{ max-width: 100%; overflow-x: auto; vertical-align: top }}
.pictures {{ display: flex; flex-wrap: wrap }}
img {{ max-width: 100% }}
</style>
<script>{vega}</script>
<h1>{title}</h1>
{plots}
</html>
"""
# A chart's menu would offer to send its data to an editor on the web. Legends are below
# the charts, one entry in a line, so that charts are as narrow as possible.
EMBED = """window.vegaEmbed = (at, chart) => vegaEmbed(at, chart,
    {actions: {editor: false}, config: {legend: {orient: 'bottom', columns: 1, labelLimit: 0}}});"""


def main(revisions: list[str], *, output: Path, open_page: bool, root: Path = Path()) -> int:
    """Write the page: the plots of the workspace, or of the revisions in the same charts; return 0.

    A single revision is shown against the workspace, as ``dvc plots diff`` does.
    """
    check_page(output)
    for revision in revisions:
        commit_of(root, revision)
    if len(revisions) < 2:
        check_state(root)
    with Repo(str(root)) as repo:
        data = repo.plots.diff(revs=list(revisions)) if revisions else repo.plots.show()
        matched = match_defs_renderers(data, templates_dir=repo.plots.templates_dir)
    renderers = [found.renderer for found in matched if found.renderer.datapoints]
    names = ", ".join(data or revisions)
    if not renderers:
        raise InputError(names, "found no files of the plots in dvc.yaml", "Run `dvc pull` or `dvc repro`")
    renderers.sort(key=lambda renderer: renderer.TYPE == "image")  # as on DVC's page
    with replacing(output) as partial:
        partial.write_text(page(f"Plots: {names}", renderers), encoding="utf-8")
    address = output.resolve().as_uri()
    print(f"{len(renderers)} plots of {names}: {address}")
    if open_page:
        webbrowser.open(address)
    return 0


def page(title: str, renderers: list[Any]) -> str:
    """Return a whole HTML document: Vega, DVC's charts, and pictures as data URLs."""
    plots = [
        _pictures(renderer)
        if renderer.TYPE == "image"
        else renderer.DIV.format(id=f"plot-{number}", partial=_in_script(renderer.partial_html()))
        for number, renderer in enumerate(renderers)
    ]
    # In a function, Vega's names aren't global, but for the vegaEmbed that EMBED sets and DVC's charts call.
    vega = _in_script(f"(() => {{{vl_convert.javascript_bundle(EMBED)}}})();")
    return PAGE.format(title=html.escape(title), vega=vega, plots="\n".join(plots))


def _pictures(renderer: Any) -> str:
    """Return the picture of each revision, and just one where they are the same."""
    revisions: dict[str, list[str]] = {}
    for point in renderer.datapoints:
        revisions.setdefault(point[renderer.SRC_FIELD], []).append(point[renderer.TITLE_FIELD])
    figures = []
    for url, names in revisions.items():
        same = "the same in " if len(names) > 1 else ""
        caption = html.escape(f"{renderer.name}: {same}{' and '.join(names)}")
        figures.append(f'<figure><figcaption>{caption}</figcaption><img src="{_webp(url)}"></figure>')
    return f'<div class="pictures">{"".join(figures)}</div>'


def _webp(url: str) -> str:
    """Return a picture's ``data:`` URL as WebP, which takes a third of the bytes of PNG."""
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        return image_url(image)


def _in_script(code: str) -> str:
    """Return the same JavaScript or JSON, without what would end or confuse an HTML script element."""
    return re.sub(r"<(?=/script|script|!--)", r"\\x3C", code, flags=re.IGNORECASE)
