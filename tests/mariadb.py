"""MariaDB servers of a test's own, which it may kill: in a folder, on a port, and as each other's replica."""

import os
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

import MySQLdb

from tests.living import free_port

DATABASE = "frozenshop"
_SMALL = (
    *("--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M", "--innodb-flush-log-at-trx-commit=1"),
    *("--performance-schema=OFF", "--skip-name-resolve", "--max-connections=200", "--sync-binlog=1"),
)


class OwnMariaDB:
    """A server of its own. All that it is asked is in its general log, `asked()`."""

    def __init__(self, folder: Path, server_id: int = 1) -> None:
        self.folder, self.server_id, self.port = folder, server_id, free_port()
        self.url = f"mysql://root@127.0.0.1:{self.port}/{DATABASE}"
        self._process: subprocess.Popen | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def install(self) -> None:
        command = ["mysql_install_db", "--no-defaults", f"--datadir={self.folder / 'data'}", "--user=root"]
        rights = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run([*command, *rights], check=True, capture_output=True, timeout=120)

    def start(self, *options: str) -> None:
        """Start it (again), and wait until it answers."""
        command = [
            *("mariadbd", "--no-defaults", "--user=root", f"--datadir={self.folder / 'data'}"),
            *(f"--socket={self.folder / 'socket'}", f"--pid-file={self.folder / 'pid'}"),
            *(f"--port={self.port}", "--bind-address=127.0.0.1", f"--server-id={self.server_id}"),
            *("--log-bin=binlog", "--binlog-format=MIXED", "--gtid-strict-mode=ON", *_SMALL),
            *("--general-log=ON", f"--general-log-file={self.folder / 'asked'}", *options),
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self.wait()

    def wait(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.sql("SELECT 1")
                return
            except MySQLdb.Error:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
                time.sleep(0.1)

    def sql(self, text: str, database: str = "") -> list[tuple]:
        with (
            closing(
                MySQLdb.connect(host="127.0.0.1", port=self.port, user="root", database=database, autocommit=True)
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(text)
            return list(cursor.fetchall())

    def create_database(self) -> None:
        self.sql(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")

    def follow(self, primary: "OwnMariaDB") -> None:
        """Be a replica from the primary's first transaction on."""
        self.sql(
            f"CHANGE MASTER TO master_host='127.0.0.1', master_port={primary.port}, master_user='root', "
            "master_use_gtid=slave_pos, master_connect_retry=1"
        )
        self.sql("START SLAVE")

    def caught_up(self, primary: "OwnMariaDB", seconds: float = 60) -> None:
        """Wait until all that the primary has is here, too."""
        (position,) = primary.sql("SELECT @@gtid_binlog_pos")[0]
        assert self.sql(f"SELECT MASTER_GTID_WAIT('{position}', {seconds})") == [(0,)]

    def asked(self) -> str:
        return (self.folder / "asked").read_text(errors="replace")

    def hang(self) -> None:
        """Take connections and answer nothing, until `go_on`."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)
