"""Run each role from the image as deploy/k8s (production) and deploy/compose.yaml say: their commands, environment,
memory, user, root that can't be written, secrets as files, probes and time to stop.

`python -m deploy.image.try [IMAGE]` needs podman, runc and kubectl, and MariaDB/MySQL, Redis and RabbitMQ on their
usual local ports (DATABASE_URL, REDIS_URL, CELERY_BROKER_URL name others). Makes a database and queues of its own and
drops them. The roles share the machine's network: ports, queues, the stores' addresses and that there is no backup are
all that differs from the files. Prints a line for each thing tried; exit 1 at the first that fails.
"""

# ruff: noqa: N999 - never imported
import contextlib
import functools
import itertools
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from deploy.image.roles import DEPLOY, Probe, Role, of_compose, of_kubernetes

IMAGE = sys.argv[1] if len(sys.argv) > 1 else "localhost/frozenshop:dev"
NAME = f"frozenshop_image_{secrets.token_hex(3)}"
PODMAN = ["podman", "--storage-driver", os.environ.get("STORAGE_DRIVER", "overlay")]
RUN = [
    *(*PODMAN, "--runtime", "runc", "--cgroup-manager=cgroupfs", "run", "--rm", "--network", "host"),
    *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"),
]
# For what production has and this machine hasn't: the stores stand elsewhere, and nobody ends TLS.
STORES = {
    "DATABASE_URL": os.environ.get("DATABASE_URL", f"mysql://root@127.0.0.1:3306/{NAME}"),
    "REDIS_URL": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/11"),
    "CELERY_BROKER_URL": os.environ.get("CELERY_BROKER_URL", "amqp://guest:guest@127.0.0.1:5672//"),
    "MONGODB_URL": "",
}
HERE = {"CELERY_QUEUE": NAME, "BACKUP_REPOSITORY": ""}
FORGET_QUEUES = """
from frozenshop.celery import app
channel = app.connection_for_write().default_channel
for queue in app.amqp.queues.values():
    channel.queue_delete(queue.name)
    channel.exchange_delete(queue.exchange.name)
"""
WORKED = """
import django; django.setup()
from frozenshop.kernel.models import OutboxMessage as M
done = M.objects.filter(status="done").values_list("topic", flat=True)
assert {topic.split(".")[0] for topic in done} >= {"kernel", "logistics", "notifications"}, set(done)
"""


def say(what: str) -> None:
    print(f"ok  {what}", flush=True)


def fail(what: str, printed: str = "") -> SystemExit:
    return SystemExit(f"FAILED  {what}\n{printed[-3000:]}")


def must(holds: bool, what: str) -> None:
    if not holds:
        raise fail(what)


class Stage:
    """A way in which the program is laid out: its roles, each with ports of its own, and a folder of secrets."""

    def __init__(self, title: str, roles: Iterator[Role], folder: Path) -> None:
        self.title, self.folder = title, folder
        self.roles = {role.name: role for role in roles}
        self.ports = {name: {"PORT": free_port(), "METRICS_PORT": free_port()} for name in self.roles}

    def environment(self, role: Role) -> dict[str, str]:
        values = role.environment | {name: str(port) for name, port in self.ports[role.name].items()}
        if "WORKER_QUEUES" in values:
            values["WORKER_QUEUES"] = values["WORKER_QUEUES"].replace("frozenshop", NAME)
        # Nobody backs up here, which doctor would rightly name.
        values |= HERE
        return values

    def command(self, role: Role, *more: str, extra: tuple[str, ...] = ()) -> list[str]:
        environment = [f"--env={name}={value}" for name, value in self.environment(role).items()]
        limits = (f"--memory={role.memory}", f"--user={role.user}", f"--tmpfs=/tmp:size={role.tmp},mode=1777")
        mounts = [f"--volume={file}:/run/secrets/{file.name}:ro" for file in sorted((self.folder / "app").iterdir())]
        return [*RUN, *role.hardening, *limits, *mounts, *environment, *extra, IMAGE, *(more or role.command)]

    def once(self, name: str, *command: str, expect: int = 0, extra: tuple[str, ...] = ()) -> str:
        """Run a role's container to its end, with another command where one is given; return what it printed."""
        start = self.command(self.roles[name], *command, extra=extra)
        done = subprocess.run(start, capture_output=True, text=True, timeout=300)
        printed = done.stdout + done.stderr
        if done.returncode != expect:
            raise fail(f"{name} {' '.join(command)}: exit {done.returncode}, not {expect}", printed)
        return printed

    @contextlib.contextmanager
    def running(self, name: str) -> Iterator[str]:
        """Start a role and yield its container's name; end it by SIGTERM, which must be obeyed in its time."""
        role, container = self.roles[name], f"{NAME}-{self.title}-{name}"
        start = self.command(role, extra=("--name", container))
        with tempfile.TemporaryFile("w+") as log:
            process = subprocess.Popen(start, stdout=log, stderr=log, text=True)
            try:
                yield container
                self._end(process, container, role, lambda: _tail(log))
            except BaseException:
                print(_tail(log), file=sys.stderr)
                raise
            finally:
                subprocess.run([*PODMAN, "rm", "--force", "--time", "0", container], capture_output=True)
                process.wait(timeout=40)

    def _end(self, process: subprocess.Popen[str], container: str, role: Role, log: Callable[[], str]) -> None:
        started = time.monotonic()
        subprocess.run([*PODMAN, "kill", "--signal", "TERM", container], check=True, capture_output=True)
        try:
            code = process.wait(timeout=role.stop_seconds)
        except subprocess.TimeoutExpired:
            raise fail(f"{role.name} is not done {role.stop_seconds:.0f} s after SIGTERM", log()) from None
        if code not in (0, 143):
            raise fail(f"{role.name} ended with {code}", log())
        say(f"{self.title}: {role.name} ends by SIGTERM in {time.monotonic() - started:.1f} of {role.stop_seconds:g} s")

    def passes(self, role: Role, container: str, probe: Probe) -> bool:
        if probe.command:
            return inside(container, *probe.command) == 0
        url = f"http://127.0.0.1:{self.ports[role.name]['PORT']}{probe.path}"
        with urllib.request.urlopen(url, timeout=3) as answer:
            return bool(answer.status == 200)

    def try_probes(self, containers: dict[str, str]) -> None:
        for name, container in containers.items():
            role = self.roles[name]
            for probe in role.probes:
                check = functools.partial(self.passes, role, container, probe)
                until(f"{self.title}: {name} passes its {probe.kinds}", check)

    def try_metrics(self, containers: dict[str, str]) -> None:
        token = (self.folder / "app/METRICS_TOKEN").read_text().strip()
        for name in containers:
            kind = "PORT" if self.roles[name].plays == "web" else "METRICS_PORT"
            request = urllib.request.Request(f"http://127.0.0.1:{self.ports[name][kind]}/metrics")
            request.add_header("Authorization", f"Bearer {token}")
            with urllib.request.urlopen(request, timeout=10) as answer:
                if b"frozenshop_" not in answer.read():
                    raise fail(f"{name} shows no metrics")
        say(f"{self.title}: each role shows its metrics to who has the token")


def _tail(log: IO[str]) -> str:
    log.seek(0)
    return log.read()[-3000:]


PORTS = itertools.count(int(os.environ.get("PORT", "18080")))


def free_port() -> int:
    """Return one below those that the system gives to connections, which come and go."""
    return next(port for port in PORTS if not _taken(port))


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(what: str, holds: Callable[[], bool], seconds: float = 180) -> None:
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            if holds():
                say(f"{what} after {time.monotonic() - started:.1f} s")
                return
        time.sleep(0.5)
    raise fail(f"{what}: not within {seconds:.0f} s")


def inside(container: str, *command: str) -> int:
    return subprocess.run([*PODMAN, "exec", container, *command], capture_output=True, timeout=30).returncode


def database(statement: str) -> None:
    if "DATABASE_URL" not in os.environ:
        subprocess.run(["mariadb", "-uroot", "-h127.0.0.1", "-e", statement], check=True, capture_output=True)


def make_secrets(folder: Path) -> None:
    """Make them as an operator does, with the addresses of this machine's stores."""
    script = [sys.executable, str(DEPLOY / "make_secrets.py"), str(folder)]
    subprocess.run(script, check=True, capture_output=True)
    for name, value in STORES.items():
        (folder / "app" / name).unlink()
        (folder / "app" / name).write_text(value)


def try_image(stage: Stage) -> None:
    """What is true of the image, however it is run."""
    refused = stage.once("migrate", "web", expect=1, extra=("--env", "SECRET_KEY_FILE="))
    must("SECRET_KEY" in refused and "Traceback" not in refused, refused)
    refused = stage.once("migrate", expect=1, extra=("--env", "AUDIT_KEY_FILE=/run/secrets/none"))
    must("AUDIT_KEY_FILE" in refused and "Traceback" not in refused, refused)
    say("a missing key, and a missing file, stop the start and are named")
    must("uid=10001" in stage.once("migrate", "id"), "runs as somebody else")
    must("Read-only" in stage.once("migrate", "touch", "/app/x", expect=1), "its root can be written")
    say("runs as 10001 on a root that can't be written")
    absent = "import importlib.util as u, sys; sys.exit(u.find_spec('sandbox') is not None)"
    stage.once("migrate", "python3", "-c", absent)
    say("the sandbox is not inside")


def try_roles(stage: Stage) -> None:
    stage.once("migrate")
    say(f"{stage.title}: migrate, and may be repeated")
    stage.once("migrate", "python3", "manage.py", "check", "--deploy", "--fail-level", "ERROR")
    say(f"{stage.title}: check --deploy")
    with contextlib.ExitStack() as stack:
        names = [name for name, role in stage.roles.items() if role.plays != "migrate"]
        containers = {name: stack.enter_context(stage.running(name)) for name in names}
        stage.try_probes(containers)
        web = next(container for name, container in containers.items() if stage.roles[name].plays == "web")
        worked = ("env", "DJANGO_SETTINGS_MODULE=frozenshop.settings", "python3", "-c", WORKED)
        until(f"{stage.title}: work of each queue is done", lambda: inside(web, *worked) == 0, 150)
        doctor = ("python3", "manage.py", "doctor")
        try:
            until(f"{stage.title}: doctor finds nothing", lambda: inside(web, *doctor) == 0, 120)
        except SystemExit:
            subprocess.run([*PODMAN, "exec", web, *doctor], timeout=30)
            raise
        stage.try_metrics(containers)


def main() -> None:
    database(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4")
    try:
        with tempfile.TemporaryDirectory() as folder:
            make_secrets(Path(folder))
            stages = [
                Stage("kubernetes", of_kubernetes("production"), Path(folder)),
                Stage("compose", of_compose(DEPLOY / "settings.env.example"), Path(folder)),
            ]
            try_image(stages[0])
            try:
                for stage in stages:
                    try_roles(stage)
            finally:
                stages[0].once("migrate", "python3", "-c", FORGET_QUEUES)
    finally:
        database(f"DROP DATABASE IF EXISTS {NAME}")


if __name__ == "__main__":
    main()
