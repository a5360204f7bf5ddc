"""What the drill and the tests of stopping work in: a database, buyers who are signed in, shops with keys, nginx.

Needs MariaDB/MySQL, Redis and RabbitMQ (DATABASE_URL, REDIS_URL, CELERY_BROKER_URL name them) and nginx.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from deploy.release.fleet import ROOT, all_down_afterwards
from frozenshop.bootstrap import make_secret

KEYS = ("SECRET_KEY", "AUDIT_KEY", "FIELD_ENCRYPTION_KEYS", "BLIND_INDEX_KEYS")
STORES = {
    "DATABASE_URL": "mysql://root@127.0.0.1:3306/frozenshop",
    "REDIS_URL": "redis://127.0.0.1:6379/12",
    "CELERY_BROKER_URL": "amqp://guest:guest@127.0.0.1:5672//",
}
BUYERS, SHOPS = 40, 8


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`people` has `buyers: [[token, secret, openid]]`, `shops: [[key_id, secret]]`, `carrier` and `kdniao_code`."""

    folder: Path
    environment: dict[str, str]
    people: dict[str, Any]

    def manage(self, *arguments: str) -> str:
        return _run(["-m", "django", *arguments], self.environment)

    def ask(self, code: str) -> Any:
        """Run `code` in the program's environment and return what it prints as JSON."""
        return json.loads(_run(["-c", f"import django; django.setup()\n{code}"], self.environment))


@contextlib.contextmanager
def surroundings(folder: Path, slots: dict[str, list[tuple[str, int]]], sandbox_port: int) -> Iterator[Surroundings]:
    """Make them, and forget them afterwards. The slots' processes are the caller's to start."""
    name = f"frozenshop_release_{secrets.token_hex(3)}"
    environment = _environment(folder, name, sandbox_port)
    (folder / "fleet.json").write_text(json.dumps({"environment": environment, "slots": slots}))
    _sql(environment, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        for command in (["migrate", "--verbosity=0"], ["load_base_data"], ["sync_schedule"]):
            _run(["-m", "django", *command], environment)
        people = json.loads(_run(["-c", PEOPLE, str(BUYERS), str(SHOPS)], environment))
        with _sandbox(folder, environment), all_down_afterwards(folder):
            yield Surroundings(folder, environment, people)
    finally:
        _run(["-c", FORGET], environment)
        _sql(environment, f"DROP DATABASE {name}")


def _environment(folder: Path, name: str, sandbox_port: int) -> dict[str, str]:
    stores = {variable: os.environ.get(variable) or usual for variable, usual in STORES.items()}
    database = urlsplit(stores["DATABASE_URL"])
    return {
        **stores,
        "DATABASE_URL": urlunsplit(database._replace(path=f"/{name}")),
        "REDIS_KEY_PREFIX": name,
        "CELERY_QUEUE": name,
        **{key: make_secret(key) for key in KEYS},
        "DJANGO_SETTINGS_MODULE": "frozenshop.settings",
        "DEBUG": "false",
        "ALLOWED_HOSTS": "127.0.0.1",
        "PUBLIC_URL": "https://shop.example.com",
        "SECURE_SSL_REDIRECT": "false",
        "ALLOW_LOOPBACK_INTEGRATIONS": "true",
        "TRUSTED_PROXIES": "1",
        "KDNIAO_BASE_URL": f"http://127.0.0.1:{sandbox_port}",
        "SANDBOX_PORT": str(sandbox_port),
        "KDNIAO_BUSINESS_ID": "1237100",
        "KDNIAO_API_KEY": secrets.token_hex(16),
        "METRICS_NETWORKS": "127.0.0.0/8",
        "OUTBOX_LEASE_SECONDS": "5",
        "LOG_LEVEL": "WARNING",
        "WEB_HOST": "127.0.0.1",
        "WEB_WORKERS": "1",
        "WEB_THREADS": "8",
        "WEB_DRAIN_SECONDS": "2",
        "WORKER_CONCURRENCY": "2",
        "VAR_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
    }


@contextlib.contextmanager
def _sandbox(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """The carriers' stand-in: who asks it hears that there is no trace yet."""
    command, told = [sys.executable, "manage.py", "sandbox"], {**environment, "DEBUG": "true"}
    with (folder / "sandbox.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | told, stdout=log, stderr=log)
    try:
        _until_listening(int(environment["SANDBOX_PORT"]))
        yield
    finally:
        process.terminate()
        process.wait(30)


def _run(arguments: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)[:200]}\n{done.stdout[-1500:]}{done.stderr[-3000:]}")
    return done.stdout


def _sql(environment: dict[str, str], statement: str) -> None:
    """Speak to the server by the program's own driver, without a database."""
    server = urlunsplit(urlsplit(environment["DATABASE_URL"])._replace(path=""))
    _run(["-c", SQL, server, statement], {})


SQL = """
import sys, environ, MySQLdb
url = environ.Env.db_url_config(sys.argv[1])
server = dict(host=url["HOST"], port=int(url["PORT"] or 3306), user=url["USER"], passwd=url["PASSWORD"] or "")
MySQLdb.connect(**server).cursor().execute(sys.argv[2])
"""
PEOPLE = """
import json, sys, django
django.setup()
from frozenshop.api import sessions
from frozenshop.kernel import merchant_keys
from logistics.models import Carrier
from orders.models import Customer
scopes = ("orders:write", "orders:read", "shipments:write", "events:write")
buyers, shops = [], []
for number in range(int(sys.argv[1])):
    customer = Customer.objects.create(openid=f"release-{number}")
    login = sessions.start(customer)
    buyers.append([login.token, login.sign_secret, customer.openid])
for number in range(int(sys.argv[2])):
    key, secret = merchant_keys.issue(f"release {number}", scopes)
    shops.append([key.key_id, secret])
carrier = Carrier.objects.exclude(kdniao_code="").order_by("id").first()
print(json.dumps({"buyers": buyers, "shops": shops, "carrier": carrier.code, "kdniao_code": carrier.kdniao_code}))
"""
FORGET = """
import django
django.setup()
from frozenshop.celery import app
channel = app.connection_for_write().default_channel
for queue in app.amqp.queues.values():
    channel.queue_delete(queue.name)
    channel.exchange_delete(queue.exchange.name)
"""


NGINX = """
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log warn;
worker_processes 1;
worker_shutdown_timeout 30s;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  include {folder}/release.conf;
{shared}
  server {{
    listen 127.0.0.1:{port};
    add_header X-Slot $release_slot always;
    location / {{
{location}
    }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, port: int) -> Iterator[None]:
    """Run nginx with the rules of deploy/nginx/nginx.conf, but without TLS, until the end."""
    conf = (ROOT / "deploy/nginx/nginx.conf").read_text()
    location = conf.split("location / {", 1)[1].split("\n    }", 1)[0]
    shared = next(line for line in conf.splitlines() if line.strip().startswith("map $request_method"))
    text = NGINX.format(
        folder=folder, port=port, shared=shared, location=location.replace("Host $host", "Host $http_host")
    )
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen(nginx_command(folder, "-g", "daemon off;"))
    try:
        _until_listening(port)
        yield
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(60)


def nginx_command(folder: Path, *arguments: str) -> list[str]:
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    return [
        binary,
        "-p",
        str(folder),
        "-c",
        str(folder / "nginx.conf"),
        "-e",
        str(folder / "nginx-error.log"),
        *arguments,
    ]


def _until_listening(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"nothing listens on {port}")
