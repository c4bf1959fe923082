"""`python -m tests.chaos`: every fault of the matrix under load, as a table. Exit code 1: a promise is broken."""

import argparse
import contextlib
import random
import signal
import sys
import time
from pathlib import Path

from tests.chaos import report
from tests.chaos.run import SCENARIOS, Plan, run
from tests.chaos.scenario import Row


def main() -> int:
    """Run what the options say."""
    options = _options()
    scenarios = [one for one in SCENARIOS if not options.only or any(word in one.name for word in options.only)]
    if options.quick:
        scenarios = [one for one in scenarios if one.quick]
    if options.list or not scenarios:
        print("\n".join(one.name for one in SCENARIOS))
        return 0 if options.list else 2
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    print(f"seed {seed}", flush=True)
    plan = Plan(
        scenarios=scenarios,
        jobs=options.jobs,
        seed=seed,
        outage_seconds=3.0 if options.quick else options.outage,
        once=options.quick,
        logs=options.logs,
    )
    return _run(plan)


def _run(plan: Plan) -> int:
    random.seed(plan.seed)
    # A harness that is told to end ends what it has started.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    rows: list[Row] = []
    began = time.monotonic()
    with contextlib.closing(run(plan)) as running:
        for row in running:
            rows.append(row)
            print(f"{report.line(row)} {row.seconds:g} s", flush=True)
            for text in row.broken:
                print(f"    {text}", flush=True)
            report.write(rows, plan.seed, time.monotonic() - began, Path.cwd())
    print("\n" + report.markdown(rows, plan.seed, time.monotonic() - began))
    return 1 if any(row.broken for row in rows) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="jobs in the long queue, and the scale of the others")
    parser.add_argument(
        "--only", action="append", metavar="WORDS", help="only faults whose name has these; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="a few faults, each once")
    parser.add_argument("--seed", type=int, help="of all chances; default: a new one, which is printed")
    parser.add_argument("--outage", type=float, default=30.0, metavar="SECONDS", help="how long Redis is away")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="keep logs and journals of broken rows there")
    parser.add_argument("--list", action="store_true", help="only the names of the faults")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; everything that was started has been ended")
