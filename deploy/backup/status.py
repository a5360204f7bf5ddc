"""When the last good backup was, written where the site's metrics and doctor read it: the ledger of jobs."""

import datetime as dt
import sys

from .errors import Failed
from .mariadb import Server

FULL, BINLOG = "backup", "backup_binlog"


def record(server: Server, job: str, at: dt.datetime, detail: str) -> None:
    """A backup is good without this row; that it can't be written is only said."""
    instant = f"'{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}'"
    values = f"'{job}', {instant}, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), '{detail[:200]}'"
    try:
        server.ask(
            f"INSERT INTO {server.name}.kernel_jobrun (job, slot, recorded_at, finished_at, detail) VALUES ({values}) "
            "ON DUPLICATE KEY UPDATE finished_at = UTC_TIMESTAMP(6)"
        )
    except Failed as error:
        print(f"the site can't be told of this backup: {error}", file=sys.stderr)
