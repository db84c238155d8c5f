"""The commands as a person types them: names, options, help, wrong usage.

Belongs here: declarations. Does not belong here: what a command does; that is the function of
the same name in the module of the same name beside this one, which ``session.perform`` loads.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from animatize_assets import __version__
from animatize_assets.cli.size import RESOLUTION, SIZE

CommandFunction = Callable[..., object]

PIPELINES = ("image", "video")
MOST = 1_000_000
"""Of a number that describes a job: no job is so large, and a slip of the finger is told."""

SEVERITIES = ("low", "medium", "high", "critical")
"""Of alerts, mildest first."""

PROVIDERS = ("local", "openai", "flux", "imagen", "comfyui")
"""Names that `--provider` takes; which of them can be used, `animatize providers` tells."""


class _InOrder(click.Group):
    """Lists the commands in the order in which a newcomer needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(self.commands)


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Everything generated goes below $ANIMATIZE_DATA_DIR (default: ./data). "
    "Exit codes: 0 all done; 1 something was refused or failed, the rest was done; 2 wrong usage.",
)
@click.version_option(__version__, prog_name="animatize")
def animatize() -> None:
    """Turn still images into justified camera moves, prompts, pictures and clips."""


def _command(declared: CommandFunction) -> CommandFunction:
    """Add ``--json`` and ``--verbose`` to a declaration and join it to what does the work."""

    @click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
    @click.option("-v", "--verbose", is_flag=True, help="Say more: Dagster's log, tracebacks.")
    def callback(*, as_json: bool, verbose: bool, **options: Any) -> int:
        session = import_module("animatize_assets.cli.session")
        return int(session.perform(declared.__name__, options, as_json=as_json, verbose=verbose))

    callback.__doc__ = declared.__doc__
    callback.__name__ = declared.__name__
    return callback


@animatize.command(short_help="Two real photographs through the whole pipeline; needs no key.")
@_command
def demo() -> None:
    """Take the two photographs that scikit-learn ships through the whole pipeline.

    Needs no key, no GPU and no server. What is there already is not made again.
    """


@animatize.command(short_help="Validate, normalise and register images.")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@_command
def ingest() -> None:
    """Validate, normalise and register images.

    JPEG, PNG, WebP, BMP and TIFF are accepted, told by content. The same bytes under another
    name are the same image. The files stay where they are. Put -- before names that begin
    with -. Exit code 1 when a file was refused; the others are registered.
    """


@animatize.command(short_help="Make what is missing of the images, or of those named.")
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every image, complete or not.")
@click.option(
    "--provider",
    type=click.Choice(PROVIDERS),
    default="local",
    show_default=True,
    help="Who makes the picture.",
)
@click.option(
    "--target", metavar="MODEL", default="generic", show_default=True, help="Model to prompt."
)
@click.option(
    "--style", metavar="NAME", default="cinematic", show_default=True, help="Style of the prompt."
)
@click.option("--size", type=SIZE, help="Of picture and clip. Default: 1280 px, image's aspect.")
@click.option(
    "--expand",
    type=click.Choice(["off", "draft", "final"]),
    default="off",
    show_default=True,
    help="Let a language model expand the prompt; draft: the cheaper one.",
)
@click.option("--batch", hidden=True, help="Id that the runs are tagged with.")
@click.option("--traceparent", hidden=True, help="W3C trace context of whoever asks for the runs.")
@_command
def run() -> None:
    """Make what is missing of every image, or everything of those named.

    KEY is an image key or the beginning of one. What was made before from the same inputs is not
    made again. Exit code 1 when an image failed; the others are complete. Ctrl-C ends the run
    after the stage at work and keeps what is finished.
    """


@animatize.command(short_help="Everything known of one image.")
@click.argument("key")
@_command
def show() -> None:
    """Everything known of one image.

    KEY is an image key or the beginning of one. With --json a stage that has not been made is
    null, and paths are absolute.
    """


@animatize.command(short_help="Scene and movements of one file; nothing is stored.")
@click.argument("file", type=click.Path(path_type=Path))
@_command
def analyze() -> None:
    """Scene and movements of one file, without Dagster; nothing is stored."""


@animatize.command(short_help="Images by state, providers, what is stored, the last runs.")
@_command
def status() -> None:
    """Images by state, providers, what is stored, the last runs. Creates no image folder."""


@animatize.command(short_help="The catalogue of provider models, and what is configured.")
@_command
def providers() -> None:
    """Show the catalogue of provider models, and what is configured.

    Prices are US dollars with their date; a price that is not known is empty, never 0.
    """


@animatize.command(short_help="Whether everything can work, what expires soon, what to do.")
@click.option("--reach", is_flag=True, help="Also ask each configured provider; costs nothing.")
@_command
def doctor() -> None:
    """Check versions, variables, disk, databases, money, GPU, port, providers and Dagster.

    Each finding is ok, a warning or an error, with the remedy. Warns 60 days before a model is shut
    down. Nothing is changed. Exit code 1 when there is an error, such as a retired model, whose
    successor is named.
    """


@animatize.command(short_help="How long a job, or a run over images, will take.")
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every image.")
@click.option(
    "--provider", help="Of the job, or who makes the pictures. Default for images: local."
)
@click.option("--size", type=SIZE, help="Of picture and clip. Default: 1280 px, image's aspect.")
@click.option(
    "--expand", type=click.Choice(["off", "draft", "final"]), help="As of run. Default: off."
)
@click.option("--pipeline", type=click.Choice(PIPELINES), help="Estimate one job of this kind.")
@click.option("--resolution", type=RESOLUTION, help="Of the job.")
@click.option("--frames", "frame_count", type=click.IntRange(1, MOST), help="Of the job.")
@click.option("--steps", type=click.IntRange(1, MOST), help="Sampling steps of the job.")
@click.option("--job-type", metavar="NAME", help="Such as character, scene (default) or trailer.")
@click.option("--guidance", "guidance_scale", type=click.FloatRange(0, MOST), help="Of the job.")
@click.option("--sampler", metavar="NAME", help="Of the job.")
@click.option(
    "--batch", "batch_size", type=click.IntRange(1, MOST), help="Pictures or clips at once."
)
@click.option("--model", metavar="NAME", help="Model of the provider.")
@click.option("--gpu", "gpu_model", metavar="NAME", help="GPU that does the job.")
@_command
def estimate() -> None:
    """Say how long work will take, with intervals, before it starts.

    With --pipeline: one job, as described by the other options. With KEY or --all: a run over
    these images as if nothing had been made before, stage by stage, and when it is done. Fewer
    than 30 finished jobs of a kind: a stated formula is used, and said to be one.
    """


@animatize.command(short_help="What pictures would cost, before anything is spent.")
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every image.")
@click.option(
    "--provider", type=click.Choice(PROVIDERS), required=True, help="Who would make them."
)
@click.option("--size", type=SIZE, help="Of the pictures. Default: 1280 px, image's aspect.")
@_command
def quote() -> None:
    """Say what pictures would cost, with a 90 % interval, retries and expected hits included.

    Nothing is asked of the provider. A price that is not known makes the total unknown.
    """


@animatize.command(short_help="Everything again without caches, and what differs.")
@click.argument("key")
@click.option("--paid", is_flag=True, help="Ask a provider that takes money again, too.")
@_command
def reproduce() -> None:
    """Make everything of one image again without caches, and say what is equal and what differs.

    What is kept is not touched. Exit code 1 when something differs or cannot be made.
    """


@animatize.command(short_help="Say how good picture and clip of an image are.")
@click.argument("key")
@click.argument("rating", metavar="1-5", type=click.IntRange(1, 5))
@_command
def rate() -> None:
    """Keep your rating of an image's newest picture and clip: 1 (useless) to 5 (just right).

    Ratings tell whether steps or a sampler that take longer are worth it.
    """


@animatize.command(short_help="What last week or this one was: jobs, time, what to do.")
@click.option(
    "--weeks-back",
    type=click.IntRange(0, 520),
    help="0: this week so far (default); 1: the last whole one.",
)
@click.option("--html", type=click.Path(path_type=Path), help="Also write it as a page, here.")
@click.option("--days", type=click.IntRange(1, 365), help="The last days instead of a week.")
@_command
def report() -> None:
    """Report a week, Monday to Sunday in UTC, against the one before; or the last --days.

    Totals, success, trends, what held jobs up, how good the estimates were, what to do.
    """


@animatize.command(short_help="What holds jobs up, and what mending it would bring.")
@click.option("--days", type=click.IntRange(1, 365), default=7, show_default=True)
@_command
def bottlenecks() -> None:
    """Find what holds the jobs of the last days up, the most severe first, with the remedy."""


@animatize.command(short_help="Which way time, success and cost are going.")
@click.option("--days", type=click.IntRange(1, 365), default=7, show_default=True)
@click.option("--pipeline", type=click.Choice(PIPELINES), help="Only of this kind of job.")
@_command
def trends() -> None:
    """Tell which way each metric is going, with a forecast for 7 days; needs a few days of jobs."""


@animatize.command(short_help="What is wrong; or mark an alert as resolved.")
@click.argument("what", type=click.Choice(["list", "resolve"]), default="list")
@click.argument("alert_id", metavar="[ID]", type=click.IntRange(1), required=False)
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only these.")
@click.option("--all", "everything", is_flag=True, help="Resolved ones, too.")
@_command
def alerts() -> None:
    """List what is wrong, newest first, or resolve the alert ID.

    An alert whose condition is gone resolves itself.
    """


@animatize.command(short_help="Learn from the finished jobs how long such jobs take.")
@click.option("--pipeline", type=click.Choice(PIPELINES), help="Only of this kind of job.")
@_command
def train() -> None:
    """Train estimators on the finished jobs now; a better one is put into use.

    Exit code 1 when nothing could be trained: a kind needs 30 jobs that finished well.
    """


@animatize.command(short_help="What the caches hold, or clean them.")
@click.argument("what", type=click.Choice(["stats", "clean"]))
@_command
def cache() -> None:
    """Tell what the caches hold and how often they were hit, or clean them.

    clean drops results that are too old or too many, and what crashes left behind; what an asset
    points to is never dropped.
    """


@animatize.command(short_help="What grows, what bounds it, and how large it is now.")
@_command
def sizes() -> None:
    """Tell what grows, what bounds it, and how large it is now; creates nothing."""


@animatize.command(short_help="Keep images whole, and out of the way.")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@_command
def archive() -> None:
    """Archive images: their files and records stay, but they are no partitions any more.

    No run works on them, and lists leave them out. KEY is an image key or the beginning of one.
    Exit code 1 when one is not known or is being worked on.
    """


@animatize.command(short_help="Bring archived images back, as they were.")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@_command
def unarchive() -> None:
    """Bring archived images back; nothing is made, or paid, again.

    So does uploading the same bytes again. KEY is an image key or the beginning of one.
    """


@animatize.command(short_help="Pictures made ahead at night, and what they were worth.")
@click.argument("what", type=click.Choice(["run", "collect", "report"]), default="run")
@click.option("--dry-run", is_flag=True, help="Only show what would be made, and why not more.")
@_command
def pregenerate() -> None:
    """Make pictures that will probably be asked for: in batches, or on your own hardware.

    run does a night's work now, within ANIMATIZE_PREGENERATION_*; --dry-run shows each picture with
    its probability, cost and time. collect takes what batches brought. report tells by night what
    was used, wasted and saved. Exit code 1 when a picture failed.
    """


@animatize.command(short_help="What was paid, and calls whose outcome nobody knows yet.")
@click.argument("what", type=click.Choice(["show", "reconcile", "write-off"]), default="show")
@click.argument("call_id", metavar="[CALL_ID]", required=False)
@click.option(
    "--cost",
    "cost_usd",
    metavar="USD",
    type=click.FloatRange(0, MOST),
    help="What the bill says of the call that is written off. Default: the most it may cost.",
)
@_command
def ledger() -> None:
    """Tell what was paid per provider, and list calls whose outcome nobody knows yet.

    reconcile asks the providers that can tell (flux, comfyui) what became of them, and keeps what
    they made; what flux never named is written off when flux keeps it no longer. write-off closes
    the call CALL_ID, of which only the provider's bill tells (openai, imagen). Exit code 1 while
    calls are open, which count as possible spend, or when CALL_ID is none that is open.
    """


@animatize.command(short_help="Move everything that is recorded to PostgreSQL.")
@_command
def migrate() -> None:
    """Copy an embedded instance's databases to PostgreSQL, all of them or none.

    The targets are ANIMATIZE_DATABASE_URL, ANIMATIZE_DAGSTER_DATABASE_URL and, once something was
    trained, ANIMATIZE_MLFLOW_TRACKING_URI: three empty databases. Every table is compared
    afterwards. Stop the daemon and the service before. The files stay as they are.
    """


@animatize.command(short_help="Everything that is generated in one file, while work goes on.")
@click.argument("file", type=click.Path(path_type=Path))
@_command
def backup() -> None:
    """Save databases, images, results, estimators and Dagster's home in the new file FILE.

    Nothing needs to be stopped: everything is saved as it is at one moment. FILE is a tar.gz that
    also holds the SHA-256 of each file in it; databases on PostgreSQL are in it, too. Values of
    secret variables are not.
    """


@animatize.command(short_help="Bring a backup back, checked before anything is touched.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Remove what is there, once FILE was checked.")
@_command
def restore() -> None:
    """Bring back what FILE holds: all of it, or nothing is changed.

    The data folder and Dagster's home must be empty, and so the databases on PostgreSQL that the
    variables name, unless --replace is given. Stop the daemon and the service before. Every hash is
    checked first.
    """


@animatize.command(short_help="The REST API and the dashboard; or an access token for them.")
@click.option("--host", help="Address to listen on. Default: ANIMATIZE_SERVE_HOST, or 127.0.0.1.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0: any free one. Default: ANIMATIZE_SERVE_PORT, or 8328.",
)
@click.option("--new-token", metavar="NAME", help="Make an access token, show it once and end.")
@click.option("--scope", type=click.Choice(["read", "write"]), help="Of the token. Default: read.")
@click.option("--remove-token", metavar="NAME", help="Remove an access token and end.")
@_command
def serve() -> None:
    """Serve the REST API and the dashboard until Ctrl-C.

    On loopback no token is needed until there is one; anywhere else one must be there before.
    """


@animatize.command(short_help="Receive OpenAI's messages about batches, instead of polling.")
@click.option("--port", type=click.IntRange(1, 65535), default=8329, show_default=True)
@_command
def webhook() -> None:
    """Receive OpenAI's messages about batches on loopback; a proxy of yours gives it TLS.

    Needs ANIMATIZE_WEBHOOK_SECRET. What a message claims is never believed: the batch is asked.
    """


def main() -> None:
    """Run the command line of this process and exit with its code."""
    raise SystemExit(execute(sys.argv[1:]))


def execute(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code.

    0: all done. 1: something was refused or failed, the rest was done. 2: wrong usage.
    """
    try:
        code = animatize.main(args=list(arguments), prog_name="animatize", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show(sys.stderr)
        return 2
    except click.UsageError as error:
        if _asks_for_json(arguments):
            sys.stdout.write(error_document("usage", error.format_message()))
        else:
            error.show(sys.stderr)
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 1
    return int(code or 0)


def error_document(code: str, message: str) -> str:
    """Return the JSON document that tells an error."""
    return json.dumps({"error": {"code": code, "message": message}}, indent=2) + "\n"


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether ``--json`` is among the options; behind ``--`` it is a file name."""
    arguments = list(arguments)
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in before
