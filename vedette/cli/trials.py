"""Commands that try Vedette on traffic made up."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

trials_cli = typer.Typer()


@trials_cli.command()
def demo(
    seconds: Annotated[
        str | None, typer.Option("--for", help="Stop by itself after this long, such as 30s.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.1, max=3600, help="How many times faster than real time.")
    ] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another stream.")] = 1,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the API; 0 takes any free one.")
    ] = 8787,
) -> None:
    """Run the service on a made-up stream of API traffic with attacks in it."""
    from vedette.commands.demo import run_demo

    raise typer.Exit(run_demo(seconds, speed=speed, seed=seed, port=port))


@trials_cli.command()
def produce(
    bootstrap: Annotated[str, typer.Argument(help="host:port of a broker.")],
    topic: Annotated[str, typer.Argument(help="Topic to write to; it must exist.")],
    seconds: Annotated[
        str | None, typer.Option("--for", help="Stop by itself after this long, such as 30s.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.1, max=3600, help="How many times faster than real time.")
    ] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another stream.")] = 1,
) -> None:
    """Write the demo's made-up stream to a Kafka topic."""
    from vedette.commands.produce import run_producer

    raise typer.Exit(run_producer(bootstrap, topic, seconds, speed=speed, seed=seed))


@trials_cli.command()
def simulate(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")],
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 1,
    hours: Annotated[float, typer.Option(min=0.05, help="How much traffic.")] = 1.0,
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a second on average.")] = 25.0,
    start: Annotated[datetime, typer.Option(help="First event (UTC).")] = datetime(2026, 11, 2, 8),  # noqa: DTZ001
    log_format: Annotated[
        Literal["combined", "json"], typer.Option("--format", help="Format of the log.")
    ] = "combined",
    files: Annotated[int, typer.Option(min=1, help="Split the log round-robin.")] = 1,
    intensity: Annotated[
        list[str] | None,
        typer.Option(metavar="weak|medium|strong", help="Of attacks; more than once for several."),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this one; more than once for several."),
    ] = None,
) -> None:
    """Write simulated traffic with attacks and near-misses, and the truth about them."""
    from vedette.commands.simulate import write_simulation

    raise typer.Exit(
        write_simulation(
            folder,
            seed=seed,
            hours=hours,
            rate=rate,
            start=start,
            log_format=log_format,
            files=files,
            intensities=intensity or ["medium"],
            scenarios=scenario or [],
        )
    )
