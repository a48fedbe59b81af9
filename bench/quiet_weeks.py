"""How many false alarms spikes give on simulated fortnights without attacks.

    python -m bench.quiet_weeks [--seeds 20] [--first-seed 1] [--rate 4]

Ordinary traffic of the simulator goes straight to the family of spikes, with its default settings:
the first week is learned, the second is judged. People come in sessions, some of which load
hundreds of thumbnails in a minute, also at night; weekends have a shape of their own. An alarm is a
finding.
"""

import argparse
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from bench.evaluation import batches
from detectors.findings import Finding, merge_runs
from detectors.learned.spikes import Spikes
from ingest.pseudonyms import Pseudonyms
from vedette.simulation.long_runs import long_run

START = datetime(2026, 11, 2, tzinfo=UTC)
FORTNIGHT = timedelta(days=14)
JUDGED_DAYS = 7


def alarms(seed: int, rate: float) -> list[Finding]:
    """Return what is found in the fortnight of a seed."""
    run = long_run(seed, START, FORTNIGHT, requests_per_second=rate, scenarios=())
    family, found = Spikes(), list[Finding]()
    for batch in batches(run, Pseudonyms(bytes(32))):
        found += family.judge(family.aggregate(batch.events), batch.watermark)
    return merge_runs([], found + family.finish())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.quiet_weeks", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=4.0, help="requests a second")
    options = parser.parse_args()
    total: Counter[str] = Counter()
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        began = time.process_time()
        found = alarms(seed, options.rate)
        total.update(f"{each.detector} of {each.entity_type}" for each in found)
        print(f"seed {seed}: {len(found)} alarms, {time.process_time() - began:.0f} s", flush=True)
        for each in found:
            print(f"  {each.detector} {each.entity} {each.first:%a %d %H:%M} {each.note}")
    a_day = total.total() / options.seeds / JUDGED_DAYS
    print(f"{a_day:.2f} alarms a day, of 1.0 accepted; {dict(total.most_common())}")


if __name__ == "__main__":
    main()
