"""A server that speaks MongoDB's protocol, in a process of its own that can be killed; and one that never answers."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pymongo
import pytest
from pymongo.errors import PyMongoError

SERVER = Path(sys.executable).parent / "secantusd-py"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Mongo:
    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.url = f"mongodb://127.0.0.1:{self.port}/logs"
        self._process = None

    def start(self):
        command = [str(SERVER), "--port", str(self.port), "--storage-path", str(self.folder / "mongo")]
        self._log = (self.folder / "mongo.log").open("ab")
        self._process = subprocess.Popen(
            [*command, "--standalone", "--cache-size", "64M", "--log-level", "WARNING"],
            cwd=self.folder, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(PyMongoError), self.client() as client:
                client.admin.command("ping")
                return
            time.sleep(0.1)
        pytest.fail((self.folder / "mongo.log").read_text()[-2000:])

    def client(self):
        return pymongo.MongoClient(self.url, serverSelectionTimeoutMS=500, tz_aware=True)

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._log.close()
            self._process = None


class Hanging:
    """Takes connections, and never says a word."""

    def __init__(self):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"mongodb://127.0.0.1:{self._listening.getsockname()[1]}/logs"
        self.taken = []
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self):
        with contextlib.suppress(OSError):
            while True:
                self.taken.append(self._listening.accept()[0])

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for one in (self._listening, *self.taken):
            one.close()
