"""The charts of ``dvc plots`` as one HTML file that needs no network."""

import html
import mimetypes
import re
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import vl_convert
from dvc.exceptions import NotDvcRepoError
from dvc.render.match import match_defs_renderers
from dvc.repo import Repo

from digits.cli.revisions import WORKSPACE, commit_of
from digits.core.errors import InputError
from digits.core.files import replacing

# The policy is the browser's own word that nothing is fetched, whatever a chart asks for.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'">
<title>{title}</title>
<script>{vega}</script>
</head>
<body>
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
    try:
        with Repo(str(root)) as repo:
            _check(repo, revisions, output)
            data = repo.plots.diff(revs=list(revisions)) if revisions else repo.plots.show()
            matched = match_defs_renderers(data, templates_dir=repo.plots.templates_dir)
    except NotDvcRepoError:
        raise InputError(
            root.resolve(), found="no DVC repository", expected="one", do="change into the project's folder"
        ) from None
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
    """A whole HTML document: Vega, and what DVC's renderers give, images as data URLs."""
    plots = [_element(f"plot-{at}", renderer) for at, renderer in enumerate(renderers)]
    return PAGE.format(title=html.escape(title), vega=_in_script(_vega()), plots="\n".join(plots))


def _element(name: str, renderer: Any) -> str:
    if renderer.TYPE == "image":
        kind = mimetypes.guess_type(renderer.name)[0] or "image/png"
        return str(renderer.generate_html()).replace('src="data:image;', f'src="data:{kind};')
    return str(renderer.DIV.format(id=name, partial=_in_script(renderer.partial_html())))


def _vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script, which defines what DVC's charts call: ``vegaEmbed``."""
    # The menu of a chart would offer to send its data to the Vega editor on the web.
    call = "window.vegaEmbed = (at, chart) => vegaEmbed(at, chart, {actions: {editor: false}});"
    # It is written as a module, whose names are its own; DVC's charts make global ones.
    return f"(() => {{{vl_convert.javascript_bundle(call)}}})();"


def _in_script(code: str) -> str:
    """The same JavaScript or JSON, without what would end or confuse an HTML script element."""
    return re.sub(r"<(?=/script|script|!--)", r"\\x3C", code, flags=re.IGNORECASE)


def _check(repo: Repo, revisions: list[str], output: Path) -> None:
    for revision in revisions:
        commit_of(repo, revision)
    for out in repo.index.outs:
        if output.resolve().is_relative_to(out.fs_path):
            raise InputError(
                output, found=f"a place in {out}", expected="one that no stage writes", do="name another"
            )
