"""Finding at 100,000 orders and at ten million: every kind of search and every list of the back office, in turns.

    python -m benchmarks.finding [--sizes 100000 10000000] [--rounds 9] [--only TEXT] [--json FILE]

On databases `frozenshop_bench_N` (`benchmarks.database`; made by `seed_demo` where they are missing). For each page it
prints the medians, their ratio, queries and rows read. Fails if a page takes more than LIMIT times as long at the
larger size, asks more than MOST_QUERIES, reads more than MOST_ROWS, scans a big table, or counts one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import database

LIMIT = 1.5
MOST_QUERIES = 15
MOST_ROWS = 50_000
"""A page that reads more rows than that looks for something without an index, whatever the plan says."""
MORE_ROUNDS = 4
"""A page beyond the limit is measured so many times as often before it is blamed: the machine may be at other work."""
FULLER = 1.2
"""A page that shows so many times as many rows as at the smaller size does more, and isn't compared."""
DAYS = 730
NEW = 2_000_000
"""The newest orders, which have all their scans."""


class Shop:
    """A process of its own that opens pages in one database."""

    def __init__(self, orders: int) -> None:
        made, _ = database.prepared(orders, days=DAYS, with_events=min(NEW, orders))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.finding_pages"],
            cwd=database.ROOT,
            env=os.environ | made,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pages: list[str] = self._answer()["pages"]

    def time_ms(self, page: str) -> float:
        return float(self._ask("time", page)) * 1000

    def asked(self, page: str) -> dict[str, Any]:
        return dict(self._ask("ask", page))

    def _ask(self, do: str, page: str) -> Any:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"do": do, "page": page}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        while line and not line.startswith(("{", "[")) and not line[0].isdigit():
            line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the pages' process ended ({self.process.wait()})")
        return json.loads(line)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def measure(page: str, small: Shop, large: Shop, rounds: int) -> dict[str, Any]:
    """Return one page's figures."""
    at_small, at_large = small.asked(page), large.asked(page)
    times: tuple[list[float], list[float]] = ([], [])
    ratio = in_turns(page, small, large, rounds, times)
    fuller = at_large["shown"] > FULLER * at_small["shown"]
    if ratio > LIMIT and not fuller:
        ratio = in_turns(page, small, large, rounds * MORE_ROUNDS, times)
    found = {
        "page": page,
        "small_ms": round(statistics.median(times[0]), 1),
        "large_ms": round(statistics.median(times[1]), 1),
        "ratio": round(ratio, 2),
        "queries": max(at_small["queries"], at_large["queries"]),
        "rows_small": at_small["rows_read"],
        "rows_large": at_large["rows_read"],
        "fuller": fuller,
    }
    return found | {"faults": blamed(found, at_large["faults"])}


def in_turns(page: str, small: Shop, large: Shop, rounds: int, times: tuple[list[float], list[float]]) -> float:
    """Add to both sizes' times, who begins changing each time; return the ratio of the medians."""
    for number in range(rounds):
        for shop, taken in ((small, times[0]), (large, times[1]))[:: 1 if number % 2 else -1]:
            taken.append(shop.time_ms(page))
    return statistics.median(times[1]) / statistics.median(times[0])


def blamed(found: dict[str, Any], faults: list[str]) -> list[str]:
    too_slow = [f"{found['ratio']} times as long"] if found["ratio"] > LIMIT and not found["fuller"] else []
    too_many = [f"{found['queries']} queries"] if found["queries"] > MOST_QUERIES else []
    too_much = [f"{found['rows_large']} rows read"] if found["rows_large"] > MOST_ROWS else []
    return [*too_slow, *too_many, *too_much, *faults]


def shown(found: dict[str, Any]) -> str:
    return (
        f"{found['page']:70.70} {found['small_ms']:8.1f} {found['large_ms']:8.1f} ms  {found['ratio']:5.2f}  "
        f"{found['queries']:3} queries  {found['rows_small']:7} {found['rows_large']:7} rows"
        f"{' (shows more)' if found['fuller'] else ''}"
        + "".join(f"\n    !! {fault[:1500]}" for fault in found["faults"])
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs=2, default=(100_000, 10_000_000))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="only pages whose name contains this")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    small, large = (Shop(orders) for orders in given.sizes)
    pages = [page for page in large.pages if page in set(small.pages) and given.only in page]
    figures = []
    for page in pages:
        figures.append(measure(page, small, large, given.rounds))
        print(shown(figures[-1]), flush=True)
    small.close()
    large.close()
    if given.json:
        given.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1))
    bad = [found["page"] for found in figures if found["faults"]]
    print(f"{len(figures)} pages, {len(bad)} with faults; sizes {given.sizes}, load {os.getloadavg()}")
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
