"""The payments that WeChat knows, in a file of their own: a killed sandbox forgets nothing that it has answered."""

import dataclasses
import json
import sqlite3
from pathlib import Path
from typing import Any

FILE = "sandbox-payments.sqlite3"
_TABLE = """
CREATE TABLE IF NOT EXISTS payment (
    id INTEGER PRIMARY KEY, transaction_id TEXT UNIQUE, trade TEXT UNIQUE, openid TEXT, pay_time REAL, state INTEGER,
    look_at REAL, uploads INTEGER, body TEXT);
CREATE INDEX IF NOT EXISTS payment_time ON payment (pay_time);
CREATE INDEX IF NOT EXISTS payment_look ON payment (look_at);
"""


@dataclasses.dataclass
class Payment:
    """`visible_at`: from when WeChat finds it. `uploads` counts those that changed something, `unchanged` the others.

    `finished`: how often shipping was ended (0, 1, and 2 after the one correction). `look_at`: when something happens
    by itself, such as the settlement; nothing where it is over. `combined`: the merchant's number of the payment above
    it, as `trade` is its own. `special`: reported as presale (1) or test (2), so often.
    """

    transaction_id: str
    mchid: str
    out_trade_no: str
    openid: str
    pay_time: float
    visible_at: float
    paid_fen: int = 0
    state: int = 1
    in_complaint: bool = False
    shipping: dict[str, Any] = dataclasses.field(default_factory=dict)
    finished: int = 0
    upload_time: float = 0.0
    uploads: int = 0
    unchanged: int = 0
    refused: int = 0
    shipped_at: float = 0.0
    confirmed_at: float = 0.0
    reminded: bool = False
    nudged: int = 0
    combined: str = ""
    special: int = 0
    specials: int = 0
    delay_to: float = 0.0
    look_at: float | None = None
    id: int = 0

    @property
    def trade(self) -> str:
        return f"{self.mchid}/{self.out_trade_no}"


class PaymentBook:
    """`save` is on disk (of the machine, not of its power supply) when it returns."""

    def __init__(self, directory: Path | None) -> None:
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
        place = str(directory / FILE) if directory else ":memory:"
        self._file = sqlite3.connect(place, check_same_thread=False, isolation_level=None)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=OFF")
        self._file.executescript(_TABLE)

    def save(self, *payments: Payment) -> None:
        self._file.execute("BEGIN")
        for payment in payments:
            body = dataclasses.asdict(payment)
            row = (
                payment.id or None, payment.transaction_id, payment.trade, payment.openid, payment.pay_time,
                payment.state, payment.look_at, payment.uploads, json.dumps(body, ensure_ascii=False),
            )  # fmt: skip
            payment.id = (
                self._file.execute("INSERT OR REPLACE INTO payment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row).lastrowid
                or 0
            )
        self._file.execute("COMMIT")

    def find(self, *, transaction_id: str = "", trade: str = "") -> Payment | None:
        column, value = ("transaction_id", transaction_id) if transaction_id else ("trade", trade)
        found = self._read(f"WHERE {column} = ?", value)
        return found[0] if found else None

    def due(self, now: float) -> list[Payment]:
        return self._read("WHERE look_at <= ? LIMIT 200", now)

    def page(self, after: int, size: int, begin: float, end: float, *, state: int, openid: str) -> list[Payment]:
        """Return payments after that id, oldest first; state 0 and no openid: of any."""
        where = "WHERE id > ? AND pay_time BETWEEN ? AND ? AND (? = 0 OR state = ?) AND (? = '' OR openid = ?)"
        return self._read(f"{where} ORDER BY id LIMIT ?", after, begin, end, state, state, openid, openid, size)

    def newest(self, count: int) -> list[Payment]:
        return self._read("ORDER BY id DESC LIMIT ?", count)

    def counts(self, column: str) -> dict[str, int]:
        """Return how many payments have which `state` or number of `uploads`."""
        rows = self._file.execute(f"SELECT {column}, COUNT(*) FROM payment GROUP BY 1")  # noqa: S608 - ours
        return {str(value): count for value, count in rows}

    def _read(self, rest: str, *values: Any) -> list[Payment]:
        rows = self._file.execute(f"SELECT id, body FROM payment {rest}", values)  # noqa: S608 - ours
        return [Payment(**json.loads(body) | {"id": pk}) for pk, body in rows]
