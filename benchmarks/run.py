"""All benchmarks, one after another: `make bench`, or `ORDERS=1000000 make bench`.

Needs MariaDB or MySQL, Redis and wrk. Databases are kept as `frozenshop_bench_N` for the next run.
"""

import json
import os
import shutil
import sys

from benchmarks import database
from benchmarks.wrk import show

ORDERS = int(os.environ.get("ORDERS", "20000"))
SMALL = 10_000


def lines(module: str, environment: dict[str, str]) -> list[dict[str, object]]:
    printed = database.run([sys.executable, "-m", module], environment)
    rows = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return [row for row in rows if "benchmark" in row]


def main() -> None:
    if not shutil.which("wrk"):
        raise SystemExit("wrk is needed (Debian: apt-get install wrk)")
    small, _ = database.prepared(SMALL)
    large, seconds = database.prepared(ORDERS)
    if seconds:
        show("seed_demo", orders=ORDERS, seconds=round(seconds, 1), orders_per_s=round(ORDERS / seconds))
    for row in lines("benchmarks.seeding", small):
        print(json.dumps(row, ensure_ascii=False), flush=True)
    at_small = {row["benchmark"]: row for row in lines("benchmarks.reading", small)}
    for row in lines("benchmarks.reading", large):
        other = at_small[row["benchmark"]]
        measure = "page_us" if "page_us" in row else "ours_us"
        row["orders"], row["against_small"] = ORDERS, round(float(row[measure]) / float(other[measure]), 2)  # type: ignore[arg-type]
        print(json.dumps(row, ensure_ascii=False), flush=True)
    for module, environment in (("benchmarks.web", large), ("benchmarks.polling", {})):
        for row in lines(module, environment):
            print(json.dumps(row, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
