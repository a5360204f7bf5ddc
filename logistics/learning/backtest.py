"""The arrival-time model tried on a finished history: each parcel predicted by what was known when it was shipped."""

import csv
import datetime as dt
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from frozenshop.kernel import clock
from logistics.learning.baselines import RollingQuantiles
from logistics.learning.learner import Learner
from logistics.learning.parcels import Parcel, on_clock
from logistics.learning.scoring import QUANTILES, Quantiles, Score, score
from orders.spreadsheets import Unreadable, open_sheet

TEST_SHARE = 5
"""One part of so many, the newest, is predicted."""
WARM_UP_DAYS = 100.0
WARM_UP_STEP = 5.0
STEP = 1.0
"""Days between two fits: while it warms up, and in the test."""
NEEDED = ("shipped_at", "delivered_at")

_WRITTEN = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.\d+)?)?)?\s*"
    r"(Z|UTC|[+-]\d{2}:?\d{2})?",
    re.ASCII | re.IGNORECASE,
)
_YEARS = range(2000, 2101)


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the file as given, and the parcel it tells of."""

    cells: Mapping[str, str]
    parcel: Parcel


@dataclass(frozen=True, slots=True)
class History:
    """The rows with a readable time of shipping, the oldest first; `notes` says what was left out."""

    columns: Sequence[str]
    lines: Sequence[Line]
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Result:
    ours: Score
    lane: Score
    all: Score
    rows: Sequence[Mapping[str, str]]
    """The test rows as given, with the predicted quantiles."""
    columns: Sequence[str]

    def as_json(self) -> dict[str, dict[str, float]]:
        return {"ours": self.ours.as_json(), "lane": self.lane.as_json(), "global": self.all.as_json()}


def read_history(path: Path) -> History:
    """Read a CSV file. Rows without a readable shipped_at are left out, as are times of delivery before it.

    Raises Unreadable with what to do.
    """
    sheet = open_sheet(path)
    if sheet.kind != "csv":
        raise Unreadable("请另存为 CSV 后再试")
    with path.open(encoding=sheet.encoding, newline="") as file:
        try:
            reader = csv.DictReader(file, restkey="")
            columns = [(name or "").strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            cells = [{name: row.get(name) or "" for name in columns} for row in reader]
        except csv.Error as error:
            raise Unreadable("CSV 格式有误：引号不成对，或单元格过长") from error
    absent = [name for name in NEEDED if name not in columns]
    if absent:
        raise Unreadable(f"缺少列：{'、'.join(absent)}；第一行应为列名（{'、'.join(NEEDED)} 等）")
    return _understood(columns, cells)


def run(history: History) -> Result:
    """Predict the newest fifth of the delivered rows, fitting anew each day, and score it. Raises Unreadable."""
    lines = history.lines
    delivered = [line for line in lines if line.parcel.days is not None]
    test = delivered[len(delivered) - len(delivered) // TEST_SHARE :]
    if not test:
        raise Unreadable(f"可用的已送达记录只有 {len(delivered)} 条，至少需要 {TEST_SHARE} 条")
    begin = test[0].parcel.start
    predicted = _predict(lines, begin)
    plain = RollingQuantiles(line.parcel for line in lines)
    baselines = [plain.quantiles_of(line.parcel) for line in test]
    took = [line.parcel.days or 0.0 for line in test]
    ours = [predicted[id(line)] for line in test]
    names = [f"q{round(100 * level):02}" for level in QUANTILES]
    rows = [
        {**line.cells, **{name: f"{days:.4f}" for name, days in zip(names, quantiles, strict=True)}}
        for line, quantiles in zip(test, ours, strict=True)
    ]
    lane, everything = zip(*baselines, strict=True)
    return Result(score(took, ours), score(took, lane), score(took, everything), rows, [*history.columns, *names])


def _predict(lines: Sequence[Line], begin: float) -> dict[int, Quantiles]:
    """Return the quantiles of every line that starts from `begin` on, by the line's identity."""
    learner = Learner([line.parcel for line in lines])
    warm_up, first, last = max(lines[0].parcel.start, begin - WARM_UP_DAYS), math.floor(begin), lines[-1].parcel.start
    walk = chain(
        learner.replay(min(math.floor(warm_up), first), first, step=WARM_UP_STEP),
        learner.replay(first, math.floor(last) + 1, step=STEP),
    )
    found: dict[int, Quantiles] = {}
    for index, said in walk:
        if lines[index].parcel.start >= begin:
            q05, q10, q50, q90, q95 = (said.quantile(level) for level in QUANTILES)
            found[id(lines[index])] = (q05, q10, q50, q90, q95)
    return found


def _understood(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> History:
    lines, unread, backwards = [], 0, 0
    for cells in rows:
        shipped_at, delivered_at = read_instant(cells["shipped_at"]), read_instant(cells["delivered_at"])
        if shipped_at is None or (delivered_at is None and cells["delivered_at"].strip()):
            unread += 1
            continue
        parcel = _parcel(cells, shipped_at, delivered_at)
        if parcel.days is not None and parcel.days < 0:
            backwards += 1
            continue
        lines.append(Line(cells, parcel))
    told = ((unread, "时间无法识别"), (backwards, "送达早于发货"))
    notes = [f"有 {count} 行{what}，未使用" for count, what in told if count]
    return History(columns, sorted(lines, key=lambda line: line.parcel.start), notes)


def _parcel(cells: Mapping[str, str], shipped_at: dt.datetime, delivered_at: dt.datetime | None) -> Parcel:
    start = on_clock(shipped_at)
    promised_by = read_instant(cells.get("promised_by", ""))
    origin, destination, carrier = (cells.get(name, "").strip() for name in ("origin", "destination", "carrier"))
    return Parcel(
        origin,
        destination,
        carrier,
        start=start,
        days=None if delivered_at is None else on_clock(delivered_at) - start,
        lead=None if promised_by is None else on_clock(promised_by) - start,
    )


def read_instant(text: str) -> dt.datetime | None:
    """Return the instant that a cell tells in one of the usual ways, Shanghai's without a zone; None if it can't be."""
    written = _WRITTEN.fullmatch(text.strip())
    if written is None:
        return None
    *numbers, zone = written.groups(default="")
    year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
    sign, where = zone[:1], zone.replace(":", "")
    offset = dt.timedelta(hours=int(where[1:3]), minutes=int(where[3:5])) if sign in "+-" and sign else dt.timedelta()
    try:
        tz = dt.timezone(-offset if sign == "-" else offset) if zone else clock.SHANGHAI
        return dt.datetime(year, month, day, hour, minute, second, tzinfo=tz) if year in _YEARS else None
    except ValueError:
        return None
