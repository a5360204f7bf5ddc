"""The program's real processes for a test, on stores that the test may take away: web, worker, relay, beat, sandbox."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

from benchmarks.client import signed_headers
from orders.tests.factories import order_payload
from tests.living import BIN, ROOT, _without_settings, free_port

WEB = (
    *("--interface", "wsgi", "--host", "127.0.0.1", "--workers", "2", "--blocking-threads", "8", "--backlog", "512"),
    *("--no-ws", "--log-level", "error", "frozenshop.wsgi:application"),
)
WORKER = (
    *("--quiet", "-A", "frozenshop", "worker", "--pool", "threads", "--concurrency", "4"),
    *("--without-gossip", "--without-mingle", "--loglevel", "WARNING"),
)


class Stack:
    """Demo orders, people and keys (`demo`), and the processes by their roles."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder, self.port, self.sandbox_port = folder, free_port(), free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.environment = _without_settings() | {
            "VAR_DIR": str(folder),
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "CELERY_QUEUE": f"stack{self.port}",
            "PYTHONUNBUFFERED": "1",
            **settings,
        }
        self.running: dict[str, subprocess.Popen] = {}
        self.demo: dict[str, Any] = {}

    def prepare(self) -> None:
        """Migrate and write the demo shop; afterwards DEBUG is off, as in production."""
        for command in (["-m", "frozenshop.bootstrap", "local"], ["manage.py", "prepare_local"]):
            self.run(*command)
        self.demo = json.loads((self.folder / "demo.json").read_text())
        self.environment |= {
            "DEBUG": "false",
            "LOCAL_DEMO": "false",
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECURE_SSL_REDIRECT": "false",
            "ALLOW_LOOPBACK_INTEGRATIONS": "true",
            "LOG_LEVEL": "WARNING",
        }

    def run(self, *command: str, seconds: float = 180) -> str:
        """Run one command of the program to its end; return what it says."""
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=seconds
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def doctor(self) -> str:
        """Return what doctor says, whether it finds something or not."""
        command = [sys.executable, "manage.py", "doctor"]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60)
        return done.stdout + (done.stderr if done.returncode > 1 else "")

    def start(self, *roles: str) -> None:
        commands = {
            "web": [str(BIN / "granian"), "--port", str(self.port), *WEB],
            "worker": [str(BIN / "celery"), *WORKER, "--hostname", f"{self.port}@%h"],
            "relay": [sys.executable, "manage.py", "relay"],
            "beat": [str(BIN / "celery"), "-A", "frozenshop", "beat", "--pidfile=", "--loglevel", "WARNING"],
            "sandbox": [sys.executable, "manage.py", "sandbox"],
        }
        for role in roles:
            with (self.folder / f"{role}.log").open("ab") as log:
                self.running[role] = subprocess.Popen(
                    commands[role], cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
                )
        if "web" in roles:
            self.wait_ready()

    def wait_ready(self, seconds: float = 60) -> None:
        def ready() -> bool:
            with suppress(requests.RequestException):
                return requests.get(f"{self.base}/readyz", timeout=5).status_code == 200
            return False

        wait_until(lambda: self.died() or ready(), seconds, self.logs)
        assert not self.died(), self.logs()

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def died(self) -> list[str]:
        return [role for role, process in self.running.items() if process.poll() is not None]

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-1500:]}" for path in self.folder.glob("*.log"))

    def simulate(self, what: str, payload: dict[str, Any]) -> Any:
        """Steer the sandbox."""
        return requests.post(f"http://127.0.0.1:{self.sandbox_port}/_sim/{what}", json=payload, timeout=5).json()

    def buyer(self, openid: str = "") -> "StackBuyer":
        """Log the demo's buyer in, or somebody else."""
        return StackBuyer(self, openid or self.demo["buyer"]["openid"])

    def shop(self) -> "StackShop":
        return StackShop(self)

    def colleague(self, username: str) -> None:
        """Make a second member of staff, with the demo's password."""
        script = (
            "import django; django.setup(); from django.contrib.auth import get_user_model as model;"
            f"model().objects.create_superuser('{username}', password='{self.demo['staff']['password']}')"
        )
        self.environment["DJANGO_SETTINGS_MODULE"] = "frozenshop.settings"
        self.run("-c", script)

    def staff(self, username: str = "") -> requests.Session:
        """Return a session of the demo's member of staff, or of a colleague."""
        session, page = requests.Session(), f"{self.base}/admin/login/"
        session.get(page, timeout=10)
        _send_cookies(session)
        who = self.demo["staff"] | ({"username": username} if username else {})
        form = who | {"csrfmiddlewaretoken": session.cookies["csrftoken"], "next": "/admin/"}
        answer = session.post(page, data=form, headers={"Referer": page}, timeout=10, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        _send_cookies(session)
        return session


class StackBuyer:
    """A buyer, logged in by WeChat's code, who signs by the contract alone."""

    def __init__(self, stack: Stack, openid: str) -> None:
        self.base = stack.base
        code = stack.simulate("wechat/code", {"openid": openid})["code"]
        answer = requests.post(f"{self.base}/api/auth/login", json={"code": code}, timeout=10)
        assert answer.status_code == 200, answer.text
        self.login = answer.json()
        self.session = requests.Session()

    def call(self, method: str, target: str, payload: object = None, *, timeout: float = 10) -> requests.Response:
        body = b"" if payload is None else json.dumps(payload).encode()
        signed = signed_headers("MP1-HMAC-SHA256", self.login["sign_secret"], method, target, body)
        names = {"X-MP-Timestamp": "timestamp", "X-MP-Nonce": "nonce", "X-MP-Signature": "signature"}
        headers = {name: signed[key] for name, key in names.items()} | {"Content-Type": "application/json"}
        headers["Authorization"] = f"Bearer {self.login['token']}"
        return self.session.request(method, self.base + target, data=body, headers=headers, timeout=timeout)


class StackShop:
    """The demo shop's own system."""

    def __init__(self, stack: Stack) -> None:
        self.base, self.key = stack.base, stack.demo["merchant"]
        self.session = requests.Session()

    def call(self, method: str, target: str, payload: object, *, timeout: float = 10) -> requests.Response:
        body = json.dumps(payload).encode()
        signed = signed_headers("MK1-HMAC-SHA256", self.key["secret_hex"], method, target, body)
        names = {"X-Timestamp": "timestamp", "X-Nonce": "nonce", "X-Signature": "signature"}
        headers = {name: signed[key] for name, key in names.items()} | {"Content-Type": "application/json"}
        headers["X-Key-Id"] = self.key["key_id"]
        return self.session.request(method, self.base + target, data=body, headers=headers, timeout=timeout)

    def take_order(self, phone: str) -> str:
        """Send an order for this phone; return its number."""
        answer, order_no = self.send_order(phone)
        assert answer.status_code == 201, answer.text
        return order_no

    def send_order(self, phone: str, *, timeout: float = 10) -> tuple[requests.Response, str]:
        payload = self.order(phone)
        return self.call("POST", "/merchant/orders", payload, timeout=timeout), str(payload["order_no"])

    def order(self, phone: str) -> dict[str, Any]:
        return order_payload(order_no=f"S{time.time_ns()}", phone=phone)


def _send_cookies(session: requests.Session) -> None:
    """They are for https, which a proxy would speak."""
    session.headers["Cookie"] = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)


def wait_until(condition: Any, seconds: float, told: Any = lambda: "") -> None:
    """Wait until the condition holds; `told()` says what is wrong if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.1)
