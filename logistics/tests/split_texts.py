"""Split labelled sentences into a part to write rules from and a part that is held out: by digest, never by choice.

    python -m logistics.tests.split_texts trace_texts.csv

writes `fixtures/texts/development.csv` and `held_out.csv`. Four of ten are held out, spread over labels and, within a
label, over carriers.
"""

import csv
import hashlib
import sys
from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures" / "texts"
HELD_OUT = 0.4
COLUMNS = ["carrier", "text", "status", "kind"]

Row = dict[str, str]


def split(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return (development, held out). Every further row of a label is held out once the share falls behind."""
    parts: tuple[list[Row], list[Row]] = ([], [])
    for label in sorted({row["status"] for row in rows}):
        # Half a row ahead, so that rare labels are held out too.
        due = 0.5
        for row in sorted((row for row in rows if row["status"] == label), key=_place):
            due += HELD_OUT
            parts[due >= 1].append(row)
            due -= due >= 1
    return parts


def _place(row: Row) -> tuple[str, str]:
    return row["carrier"], hashlib.sha256(f"frozenshop:{row['text']}".encode()).hexdigest()


def main(source: str) -> None:
    with open(source, encoding="utf-8-sig", newline="") as file:
        parts = split(list(csv.DictReader(file)))
    for name, rows in zip(("development", "held_out"), parts, strict=True):
        with (FIXTURES / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        sys.stdout.write(f"{name}: {len(rows)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
