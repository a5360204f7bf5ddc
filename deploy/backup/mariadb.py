"""MariaDB or MySQL through its own tools: questions, and the commands that dump, copy, fetch and replay."""

import contextlib
import datetime as dt
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import Failed
from .processes import run
from .settings import Account

PROGRAMS = {
    "mariadb": {"client": "mariadb", "dump": "mariadb-dump", "binlog": "mariadb-binlog", "position": "--master-data=2"},
    "mysql": {"client": "mysql", "dump": "mysqldump", "binlog": "mysqlbinlog", "position": "--source-data=2"},
}
IN_DUMP = re.compile(r"(?:MASTER|SOURCE)_LOG_FILE='([^']+)', (?:MASTER|SOURCE)_LOG_POS=(\d+)")
BY_MARIABACKUP = re.compile(r"binlog position: filename '([^']+)', position '(\d+)'")


class Server:
    """A server as one account sees it. `options` is a file with the account, so that no password is in a command."""

    def __init__(self, options: Path, name: str, client: str = "mariadb") -> None:
        self.options, self.name, self.programs = options, name, PROGRAMS[client]

    def ask(self, statement: str) -> list[list[str]]:
        command = [*self._with("client"), "--batch", "--skip-column-names", "--execute", statement]
        return [line.split("\t") for line in run(command).splitlines()]

    def now(self) -> dt.datetime:
        """Return the server's clock, to the second: binary logs are dated by it."""
        return dt.datetime.fromisoformat(self.ask("SELECT UTC_TIMESTAMP()")[0][0]).replace(tzinfo=dt.UTC)

    def version(self) -> str:
        return self.ask("SELECT VERSION()")[0][0]

    def logs(self) -> dict[str, int]:
        """Return the binary logs that the server still has, with their sizes; the last one is being written."""
        found = {row[0]: int(row[1]) for row in self.ask("SHOW BINARY LOGS")}
        if not found:
            raise Failed("the server writes no binary log: set log_bin, binlog_format=ROW, sync_binlog=1")
        return found

    def fetch(self, names: Sequence[str], folder: Path) -> None:
        """Copy binary logs as they are, the one being written up to its present end."""
        run([*self._with("binlog"), "--read-from-remote-server", "--raw", f"--result-file={folder}/", *names])

    def dump(self) -> list[str]:
        consistent = ["--single-transaction", "--quick", self.programs["position"]]
        return [*self._with("dump"), *consistent, "--routines", "--triggers", "--events", "--hex-blob", self.name]

    def copy(self, scratch: Path) -> list[str]:
        command = ["mariabackup", f"--defaults-extra-file={self.options}", "--backup", "--stream=xbstream"]
        return [*command, f"--target-dir={scratch}", "--parallel=2"]

    def replay(self, logs: Sequence[Path], start: int, until: dt.datetime | None, *, only: bool) -> list[str]:
        """Return the command that prints what the logs hold from a position on, as statements. `until` is exclusive."""
        stop = [f"--stop-datetime={until.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"] if until else []
        database = [f"--database={self.name}"] if only else []
        options = ["--verify-binlog-checksum", f"--start-position={start}", *stop, *database]
        return [self.programs["binlog"], "--no-defaults", *options, *map(str, logs)]

    def client(self, *database: str) -> list[str]:
        return [*self._with("client"), "--binary-mode", "--default-character-set=utf8mb4", *database]

    def _with(self, program: str) -> list[str]:
        return [self.programs[program], f"--defaults-extra-file={self.options}"]


@contextlib.contextmanager
def connected(account: Account, client: str = "mariadb", socket: Path | None = None) -> Iterator[Server]:
    """Yield the server; the file with the password lives as long."""
    place = {"socket": str(socket)} if socket else {"host": account.host, "port": str(account.port), "protocol": "tcp"}
    lines = {"user": account.user, "password": _quoted(account.password), **place}
    with tempfile.NamedTemporaryFile("w", prefix="backup-", suffix=".cnf") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write("[client]\n" + "".join(f"{name}={value}\n" for name, value in lines.items()))
        file.flush()
        yield Server(Path(file.name), account.name, client)


def position(pattern: re.Pattern[str], text: str) -> tuple[str, int]:
    """Return the binary log and the place in it that a dump or a copy is of."""
    found = pattern.findall(text)
    if not found:
        raise Failed("the backup names no place in the binary log: set log_bin on the server")
    name, place = found[-1]
    return name, int(place)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
