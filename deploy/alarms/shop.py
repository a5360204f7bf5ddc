"""The shop as production runs it, on stores of its own: web, worker, relay and beat by the image's entrypoint."""

import base64
import getpass
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from deploy.alarms.processes import ROOT, Failed, Part, Ports, open_port

BIN = Path(sys.executable).parent
TOKEN = secrets.token_urlsafe(24)
PUSHES_PER_SECOND = 2
ROLES = ("web", "worker", "relay", "beat")


class Shop:
    """All parts by name. `addresses` are those of `/metrics`, by role."""

    def __init__(self, folder: Path, ports: Ports, broker: str) -> None:
        self.folder, self.queue = folder, f"alarms-{secrets.token_hex(4)}"
        self.broker = urllib.parse.urlsplit(broker)
        self.addresses = {role: f"127.0.0.1:{ports.take()}" for role in ROLES}
        self.ports = {name: ports.take() for name in ("database", "redis", "broker", "mongodb")}
        self.key = secrets.token_hex(16)
        self.environment = self._environment()
        stores = [self._database(), self._redis(), self._proxy(), *self._mongodb()]
        self.parts = {part.name: part for part in [*stores, *map(self._role, ROLES)]}

    def start(self) -> None:
        stores = [part for name, part in self.parts.items() if name not in ROLES]
        for part in stores:
            part.start()
        for part in stores:
            part.wait()
        self._prepare()
        for role in ROLES:
            self.parts[role].start()
        for role in ROLES:
            self.parts[role].wait()

    def stop(self) -> None:
        for part in reversed(self.parts.values()):
            part.kill()
        with suppress(Exception):
            self._forget_queues()

    def answers(self, role: str) -> bool:
        """Say whether the role shows its metrics."""
        return "frozenshop_build_info" in self.metrics(role)

    def metrics(self, role: str) -> str:
        request = urllib.request.Request(
            f"http://{self.addresses[role]}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=5) as answer:
            return str(answer.read().decode())
        return ""

    def push(self, number: int) -> bool:
        """Push news of a parcel as 快递鸟 does; say whether it was taken."""
        parcel = {"ShipperCode": "SF", "LogisticCode": f"SF{number:012}", "Success": True, "State": "2", "Traces": []}
        data = json.dumps({"PushTime": f"{time.time()}", "Count": "1", "Data": [parcel]})
        digest = hashlib.md5((data + self.key).encode(), usedforsecurity=False).hexdigest()
        form = {"RequestData": data, "RequestType": "102", "DataSign": base64.b64encode(digest.encode())}
        url = f"http://{self.addresses['web']}/callbacks/kdniao"
        try:
            with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    # --- stores -----------------------------------------------------------------------------------

    def _database(self) -> Part:
        data, port = self.folder / "database", self.ports["database"]
        install = ["mysql_install_db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
        done = subprocess.run([*install, f"--user={getpass.getuser()}"], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"no database: {done.stderr[-500:]}")
        command = ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={self.folder}/mysql", f"--port={port}"]
        options: list[str | Path] = [
            "--bind-address=127.0.0.1",
            f"--user={getpass.getuser()}",
            "--character-set-server=utf8mb4",
        ]
        return Part("database", [*command, *options], self.folder, lambda: open_port(port))

    def _redis(self) -> Part:
        port = self.ports["redis"]
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        return Part("redis", command, self.folder, lambda: open_port(port))

    def _proxy(self) -> Part:
        """The broker itself is everybody's: what is killed is the way to it."""
        port, target = self.ports["broker"], f"{self.broker.hostname}:{self.broker.port or 5672}"
        command: list[str | Path] = [sys.executable, ROOT / "deploy/alarms/proxy.py", str(port), target]
        return Part("broker", command, self.folder, lambda: open_port(port))

    def _mongodb(self) -> list[Part]:
        program, port = BIN / "secantusd-py", self.ports["mongodb"]
        if not program.exists():
            return []
        data = self.folder / "mongodb"
        data.mkdir()
        place = ["--host", "127.0.0.1", "--port", str(port), "--storage-path", str(data)]
        command: list[str | Path] = [program, "--standalone", "--log-level", "ERROR", *place]
        self.environment["MONGODB_URL"] = f"mongodb://127.0.0.1:{port}/logs"
        return [Part("mongodb", command, self.folder, lambda: open_port(port))]

    # --- the program ------------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("HOME", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        account = f"{self.broker.username or 'guest'}:{self.broker.password or 'guest'}"
        return inherited | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "AUDIT_KEY": secrets.token_urlsafe(48),
            "FIELD_ENCRYPTION_KEYS": _key(),
            "BLIND_INDEX_KEYS": _key(),
            "ALLOWED_HOSTS": "127.0.0.1",
            "PUBLIC_URL": "https://shop.example.com",
            "SECURE_SSL_REDIRECT": "false",
            "DATABASE_URL": f"mysql://root@127.0.0.1:{self.ports['database']}/shop",
            "REDIS_URL": f"redis://127.0.0.1:{self.ports['redis']}/0",
            "CELERY_BROKER_URL": f"amqp://{account}@127.0.0.1:{self.ports['broker']}/{self.broker.path[1:]}",
            "CELERY_QUEUE": self.queue,
            "METRICS_TOKEN": TOKEN,
            "METRICS_HOST": "127.0.0.1",
            "WEB_HOST": "127.0.0.1",
            "KDNIAO_BUSINESS_ID": "1237100",
            "KDNIAO_API_KEY": self.key,
            "LOG_LEVEL": "WARNING",
        }

    def _role(self, role: str) -> Part:
        var = self.folder / f"var-{role}"
        port = self.addresses[role].rpartition(":")[2]
        own = {"VAR_DIR": str(var), "PORT" if role == "web" else "METRICS_PORT": port}
        command: list[str | Path] = ["sh", ROOT / "deploy/image/entrypoint.sh", role]
        return Part(role, command, self.folder, lambda: self.answers(role), self.environment | own)

    def _prepare(self) -> None:
        self._run("mariadb", "-uroot", "-h127.0.0.1", f"-P{self.ports['database']}", "-e", "CREATE DATABASE shop")
        self._run("sh", str(ROOT / "deploy/image/entrypoint.sh"), "migrate")

    def _run(self, *command: str) -> None:
        environment = self.environment | {"VAR_DIR": str(self.folder / "var-prepare")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise Failed(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")

    def _forget_queues(self) -> None:
        from kombu import Connection

        with Connection(self.broker.geturl()) as connection:
            channel: Any = connection.channel()
            for kind in ("", ".tracking", ".messages"):
                channel.queue_delete(self.queue + kind)
            channel.exchange_delete(self.queue)


class Traffic:
    """Pushes at a steady pace, answered or not, from beginning to end."""

    def __init__(self, shop: Shop) -> None:
        self.taken = self.refused = 0
        self._shop, self._stop = shop, threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._stop.wait(1 / PUSHES_PER_SECOND):
            if self._shop.push(self.taken + self.refused):
                self.taken += 1
            else:
                self.refused += 1


def _key() -> str:
    return "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()


def missing_programs() -> list[str]:
    wanted = ("mariadbd", "mysql_install_db", "mariadb", "redis-server", "prometheus", "prometheus-alertmanager")
    return [name for name in wanted if shutil.which(name) is None]
