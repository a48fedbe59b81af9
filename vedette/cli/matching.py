"""Which incidents something is about; each option but --severity-min may be given several times."""

from typing import Annotated

import typer

Severities = Annotated[
    list[str] | None, typer.Option("--severity", metavar="LEVEL", help="Of this severity.")
]
SeverityMin = Annotated[
    str | None, typer.Option("--severity-min", metavar="LEVEL", help="Of this severity or above.")
]
Detectors = Annotated[
    list[str] | None, typer.Option("--detector", metavar="NAME", help="With this detector.")
]
Services = Annotated[
    list[str] | None, typer.Option("--service", metavar="NAME", help="In this service.")
]
Entities = Annotated[
    list[str] | None,
    typer.Option("--entity", metavar="NAME", help="About this client, user, network and so on."),
]
EntityTypes = Annotated[
    list[str] | None,
    typer.Option("--entity-type", metavar="TYPE", help="About a client, user, network, route."),
]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="With this tag, as attack.t1110.")
]
Labels = Annotated[
    list[str] | None, typer.Option("--label", metavar="LABEL", help="With this label.")
]
