"""Machines that come every day from the same address."""

from vedette.simulation.actors import draw_actors
from vedette.simulation.long_runs import LongRun
from vedette.simulation.scenarios import all_scenarios


def machine_addresses(run: LongRun) -> dict[str, str]:
    """Return for each client of a steady near-miss the address that it has in all runs and days.

    Actors are drawn anew every day. Who learns what is usual for a client needs machines to stay.
    """
    steady = {each.name for each in all_scenarios() if each.pattern == "steady"}
    home = draw_actors(0)
    return {
        client: same
        for row in run.truth
        if row.kind == "near_miss" and row.scenario in steady
        for client, same in zip(row.clients, home[row.scenario].addresses, strict=True)
    }
