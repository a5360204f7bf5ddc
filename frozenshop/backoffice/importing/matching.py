"""Which column of a file is what: by its heading, by what stands in it, by what the person chose last time."""

import datetime as dt
import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from frozenshop.backoffice.importing.fields import LABELS, WHATS, What, names_of, plain
from frozenshop.kernel.errors import Invalid
from logistics.places import province_of
from orders.phones import normalise
from orders.spreadsheets import Cell, Formula, Unreadable, open_sheet

SAMPLED = 60
TITLES = 10
"""So many rows may stand above the header: titles, remarks of the other program."""
MAX_ROWS = 50_000
_ALIKE = 0.6
_WAYBILL = re.compile(r"[A-Za-z]{0,4}[0-9]{10,16}[A-Z]{0,2}")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_INSTANT = re.compile(r"20[0-9]{2}[-/.年][0-9]{1,2}[-/.月][0-9]{1,2}.*")
_PRICE = re.compile(r"[¥￥]?[0-9]{1,6}\.[0-9]{1,2}元?")


@dataclass(frozen=True, slots=True)
class Column:
    """`samples` are shown to the person who uploaded the file, and kept nowhere."""

    position: int
    heading: str
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guess:
    """What was found at the head of a file. `header_row` 0: the file has none. `match`: field → column from 0.

    `fingerprint` stands for the header.
    """

    header_row: int
    columns: tuple[Column, ...]
    match: dict[str, int]
    fingerprint: str
    by_content: frozenset[str] = field(default_factory=frozenset)


def look(path: Path, what: What, carriers: Iterable[str] = ()) -> Guess:
    """Read the first rows of a file. `carriers`: the names that carriers go by. Raises Unreadable."""
    sheet = open_sheet(path, max_rows=MAX_ROWS)
    rows = [(number, cells) for number, cells in itertools.islice(sheet.rows(), SAMPLED)]
    if not rows:
        raise Unreadable("文件是空的：没有一行内容")
    header_row, headings = _header(rows)
    body = [cells for number, cells in rows if number > header_row]
    if not body:
        raise Unreadable("文件只有表头，没有数据行")
    width = max(len(headings), *(len(cells) for cells in body))
    columns = tuple(Column(at, headings[at] if at < len(headings) else "", _samples(body, at)) for at in range(width))
    match = _by_heading(columns, what)
    found = _by_content(body, columns, what, match, set(carriers))
    return Guess(header_row, columns, match | found, _fingerprint(columns), frozenset(found))


def check(match: Mapping[str, int], what: What, columns: int) -> dict[str, int]:
    """Return the match that a person chose. Raises Invalid with what is missing or used twice."""
    chosen = {name: at for name, at in match.items() if name in what.columns and 0 <= at < columns}
    missing = [LABELS[name] for name in what.required if name not in chosen]
    twice = [LABELS[name] for name, at in chosen.items() if list(chosen.values()).count(at) > 1]
    if missing:
        raise Invalid(f"请指出这些列在哪里：{'、'.join(missing)}")
    if twice:
        raise Invalid(f"同一列不能用两次：{'、'.join(twice)}")
    return chosen


def _header(rows: Sequence[tuple[int, list[Cell]]]) -> tuple[int, list[str]]:
    """Return the row that names most columns; of a file without any such row, 0."""
    known = set().union(*(names_of(name) for what in WHATS.values() for name in what.columns))
    best, best_row = 0, (0, [""])
    for number, cells in rows[:TITLES]:
        headings = [_text(cell) for cell in cells]
        named = sum(plain(heading) in known for heading in headings if heading)
        if named > best:
            best, best_row = named, (number, [heading[:40] for heading in headings])
    if best >= 2 or (best == 1 and len(rows[0][1]) <= 2):
        return best_row
    first = [cell for cell in rows[0][1] if cell != ""]
    if any(_looks_like_data(cell) for cell in first):
        return 0, []
    return rows[0][0], [_text(cell)[:40] for cell in rows[0][1]]


def _looks_like_data(cell: Cell) -> bool:
    text = _text(cell)
    return not isinstance(cell, str) or any(look.fullmatch(text) for look in (_WAYBILL, _MOBILE, _INSTANT, _PRICE))


def _by_heading(columns: Iterable[Column], what: What) -> dict[str, int]:
    """Exact names first, in the order of the fields, so that 运单号 isn't taken for 原运单号."""
    match: dict[str, int] = {}
    names = {name: names_of(name) for name in what.columns}
    for column in columns:
        heading = plain(column.heading)
        for name in what.columns:
            if name not in match and column.position not in match.values() and heading in names[name]:
                match[name] = column.position
    return match


def _by_content(
    body: Sequence[Sequence[Cell]], columns: Iterable[Column], what: What, match: Mapping[str, int], carriers: set[str]
) -> dict[str, int]:
    """Guess what no heading told, of columns that are nothing yet: by what most of its cells look like."""
    tests: dict[str, Callable[[str], bool]] = {
        "consignee_phone": _is_phone,
        "carrier_code": lambda text: text in carriers,
        "waybill_no": lambda text: bool(_WAYBILL.fullmatch(text)) and not _MOBILE.fullmatch(text),
        "placed_at": lambda text: bool(_INSTANT.fullmatch(text)),
        "province": lambda text: len(text) <= 8 and province_of(text) is not None,
        "unit_price": lambda text: bool(_PRICE.fullmatch(text)),
        "quantity": lambda text: bool(re.fullmatch(r"[1-9][0-9]{0,2}", text)),
        "order_no": lambda text: bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{3,63}", text)),
    }
    found: dict[str, int] = {}
    for name, test in tests.items():
        if name not in what.columns or name in match:
            continue
        for column in columns:
            free = column.position not in (*match.values(), *found.values()) and not _is_named(column, what)
            if free and _share(body, column.position, test) >= _ALIKE:
                found[name] = column.position
                break
    return found


def _is_named(column: Column, what: What) -> bool:
    """A column with a heading of its own that means something else is not guessed at."""
    return bool(column.heading) and not re.fullmatch(r"(列|column|field|f)?[0-9]*", plain(column.heading))


def _share(body: Sequence[Sequence[Cell]], at: int, test: Callable[[str], bool]) -> float:
    cells = [_text(row[at]) for row in body if at < len(row) and row[at] != ""]
    return sum(test(cell) for cell in cells) / len(cells) if cells else 0.0


def _is_phone(text: str) -> bool:
    try:
        return len(text) >= 8 and bool(normalise(text))
    except Invalid:
        return False


def _samples(body: Sequence[Sequence[Cell]], at: int) -> tuple[str, ...]:
    found = (_text(row[at])[:30] for row in body if at < len(row) and row[at] != "")
    return tuple(itertools.islice(dict.fromkeys(found), 3))


def _text(cell: Cell) -> str:
    if isinstance(cell, Formula):
        return cell.text
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return f"{cell:%Y-%m-%d %H:%M}" if isinstance(cell, dt.datetime) else str(cell)


def _fingerprint(columns: Sequence[Column]) -> str:
    return hashlib.sha256("\x1f".join(plain(column.heading) for column in columns).encode()).hexdigest()[:32]
