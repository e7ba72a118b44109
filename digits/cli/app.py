"""The verbs of the ``digits`` command and what each takes; the module that a verb imports does the work."""

import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from digits.core.errors import InputError, printable
from digits.core.stage import escape_unprintable

#: Packages that only some verbs need, and the file of requirements/ that has them.
EXTRAS = {"ray": "sweep", "optuna": "sweep", "vl_convert": "plots"}

# What a command needs is imported when it runs: --help answers at once.
app = typer.Typer(
    name="digits",
    help="Use the trained models; compare, repeat, check and show the experiments. "
    "To train: make run, or dvc repro. Outside a checkout of the project, predict --model-file works.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
sweep = typer.Typer(no_args_is_help=True, help="Search better parameters: many trainings of one model.")
app.add_typer(sweep, name="sweep")


def check_checkout(otherwise: str = "git clone it first") -> None:
    """Raise an InputError if the working directory is no checkout, or another one than this command's."""
    here, own = Path("digits/cli/app.py"), Path(__file__)
    if not here.is_file():
        problem = "expected a checkout of the project, found no folder digits/ with its code"
        raise InputError(Path.cwd(), problem, f"Go to the checkout's top folder, or {otherwise}")
    if not here.samefile(own):
        problem = f"expected the one of this folder, found the one of {own.parents[2]}"
        raise InputError("the command digits", problem, "Run `make install`, then .venv/bin/digits")


class InCheckout(TyperCommand):
    """A command that works in a checkout only; its --help works anywhere."""

    def invoke(self, ctx: Any) -> Any:
        check_checkout()
        return super().invoke(ctx)


def _stems(pattern: str) -> Callable[[], list[str]]:
    """Return a function that lists file names without suffix, for a shell to complete."""
    return lambda: sorted(path.stem for path in Path().glob(pattern))


def _print_version(asked: bool) -> None:
    if asked:
        print(f"digits {version('digits-pipeline')}")
        raise typer.Exit


@app.callback()
def digits(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


Revision = Annotated[str | None, typer.Argument(help="A git revision, a DVC experiment, or workspace.")]
Style = Annotated[
    Literal["table", "markdown", "json"], typer.Option("--format", help="Markdown is for a pull request.")
]
OpenPage = Annotated[bool, typer.Option("--open", help="Show it in the browser.")]
FAIL_IF = (
    "Exit with status 1 if this holds: 'worse' (a metric is gone, or worse by more than chance), or a bound: "
    "'test/accuracy < 0.9', 'dnn/validation/log_loss change > 0.01'. Repeat the option for more conditions."
)
TOLERANCE = (
    "How far a metric may be off, relative or absolute. Another processor's rounding was seen to move a log "
    "loss by 0.0008 on digits and by 0.007 on mnist; one answer in 360 moves the accuracy by 0.0028."
)


@app.command(cls=InCheckout)
def compare(
    before: Revision = None,
    after: Revision = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="MODEL MODEL", help="Compare two models instead of two revisions."),
    ] = None,
    style: Style = "table",
    fail_if: Annotated[list[str] | None, typer.Option(help=FAIL_IF)] = None,
) -> None:
    """Show which parameters and metrics differ, and whether a difference is more than chance.

    Compares HEAD with the workspace, BEFORE with the workspace, or BEFORE with AFTER. Two models are compared
    in the workspace, or in BEFORE.
    """
    from digits.cli.compare import main

    sys.exit(main(before, after, between=between, style=style, conditions=fail_if or []))


@app.command(cls=InCheckout)
def experiments(
    markdown: Annotated[bool, typer.Option("--markdown", help="For a pull request.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show the experiments in git, also those of dvc exp run: what each changed, and which is best."""
    from digits.cli.experiments import main

    sys.exit(main("json" if as_json else "markdown" if markdown else "table"))


@app.command()
def predict(
    images: Annotated[
        list[str],
        typer.Argument(
            help="Picture files; folders of them, or with a subfolder for each class; - for standard input."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="A network of this checkout; dnn, if not given.", autocompletion=_stems("models/*")
        ),
    ] = None,
    model_file: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="A model.tflite from anywhere, with its input.json beside it."),
    ] = None,
    format: Annotated[
        Literal["table", "json", "csv"], typer.Option(help="How the answers are printed.")
    ] = "table",
    seen: Annotated[
        Path | None,
        typer.Option(
            "--show",
            metavar="FOLDER",
            help="Write the network's input for each picture to this folder, as PNG.",
        ),
    ] = None,
) -> None:
    """Say what is on pictures of any size, dark on light or light on dark.

    The ink is found, then scaled and placed as in the training images. A ? marks an answer with a warning.
    """
    if model_file is None:
        check_checkout("name a model with --model-file")
    elif model is not None:
        raise InputError("--model-file", f"can't be used with --model {model}", "Leave one out")
    from digits.cli.predict import main

    sys.exit(main(images, model=model_file or model or "dnn", style=format, seen=seen))


@app.command(cls=InCheckout)
def recipe(
    name: Annotated[str | None, typer.Argument(autocompletion=_stems("recipes/*.yaml"))] = None,
) -> None:
    """Put a recipe into params.yaml; without a name, list them. It keeps data.source and your own models."""
    from digits.cli.recipe import main

    sys.exit(main(name))


@sweep.command("run", cls=InCheckout)
def run_sweep(
    name: Annotated[
        str, typer.Argument(help="A file of sweeps/, without .yaml.", autocompletion=_stems("sweeps/*.yaml"))
    ] = "dnn",
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="The number of trials in all, instead of that in the sweep's file."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Trials at a time; as many as there are cores, if not given.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="A Ray cluster, from one of its nodes; this machine alone, if not given.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Continue an earlier run: keep its finished trials, train the missing ones."
        ),
    ] = False,
) -> None:
    """Train the trials of sweeps/NAME.yaml, and write metrics/sweeps/NAME.

    Trials are compared on the validation split alone. Each is written to disk as it ends.
    """
    from digits.cli.sweep.commands import run

    sys.exit(run(name, trials, workers, address, resume))


@sweep.command("apply", cls=InCheckout)
def apply_sweep(
    name: Annotated[
        str, typer.Argument(help="A sweep that was run.", autocompletion=_stems("sweeps/*.yaml"))
    ] = "dnn",
    trial: Annotated[int | None, typer.Option(help="Its number; the best, if not given.")] = None,
) -> None:
    """Put a sweep's best trial into params.yaml: then dvc repro, and commit it as an experiment.

    Comments and other settings stay as they are.
    """
    from digits.cli.sweep.commands import apply

    sys.exit(apply(name, trial))


@app.command(cls=InCheckout)
def plots(
    revisions: Annotated[list[str] | None, typer.Argument()] = None,
    output: Path = Path("dvc_plots/index.html"),
    open_page: OpenPage = False,
) -> None:
    """Write DVC's plots of the workspace, or of one or two revisions, as a page that needs no network."""
    from digits.cli.plots import main

    sys.exit(main(revisions or [], output=output, open_page=open_page))


@app.command(cls=InCheckout)
def report(output: Path = Path("report/index.html"), open_page: OpenPage = False) -> None:
    """Write the last run's results as one page that needs no network, and a card of each model."""
    from digits.cli.report.page import main

    sys.exit(main(output=output, open_page=open_page))


@app.command(cls=InCheckout)
def repeat(
    seeds: Annotated[int, typer.Option(min=2, help="How many trainings of each model.")] = 5,
    model: Annotated[list[str] | None, typer.Option(help="All models, if not given.")] = None,
    save: Annotated[
        bool, typer.Option(help="Replace metrics/repeats/ with these results, to be committed.")
    ] = False,
) -> None:
    """Train with several seeds, and show each metric's mean, deviation and 95 % interval."""
    from digits.cli.repeat import main

    sys.exit(main(seeds, models=model or [], save=save))


@app.command(cls=InCheckout)
def metrics() -> None:
    """Show the metrics of the last run's models, in one table."""
    from digits.cli.metrics import main

    sys.exit(main())


@app.command(cls=InCheckout)
def verify(tolerance: Annotated[float, typer.Option(min=0, help=TOLERANCE)] = 1e-3) -> None:
    """Run the commit at HEAD again in a temporary clone, and compare the outputs with its dvc.lock.

    Exit status 0 if every output has the same bytes, or all metrics are within the tolerance; else 1.
    """
    from digits.cli.verify import main

    sys.exit(main(tolerance=tolerance))


def run() -> None:
    """Run the command line; an error that the user can fix is one line, with exit status 1."""
    escape_unprintable()
    try:
        app(prog_name="digits")
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(error.name or "")
        if not extra:
            raise
        where = f"requirements/{extra}.txt"
        sys.exit(f"error: expected the packages of {where}, found no {error.name}. Run `make .venv/{extra}`.")
    except (InputError, OSError) as error:
        sys.exit("\n".join(f"error: {line}" for line in str(error).splitlines()))
    except Exception as error:
        # Errors of DVC, recognized by the name of their module, as importing DVC takes long.
        if any(kind.__module__ == "dvc.exceptions" for kind in type(error).__mro__):
            sys.exit(f"error: {printable(str(error))}")
        raise
