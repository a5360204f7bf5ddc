"""Run the tests: on the embedded default, then again on the services that answer, there the first case of each;
with `--all`, the other cases there, and the slow tests; with `--drills`, those that take the whole program apart.
"""

import os
import socket
import subprocess
import sys
import time

SERVICES = {"MariaDB/MySQL": 3306, "Redis": 6379, "RabbitMQ": 5672}
ON_SERVICES = {
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", "mysql://root@127.0.0.1:3306/frozenshop"),
    "REDIS_URL": os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/7"),
    "CELERY_BROKER_URL": os.environ.get("TEST_BROKER_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}
QUICK = ["-n", "2", "--dist", "loadgroup"]


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def can_speak_mysql() -> bool:
    return subprocess.run([sys.executable, "-c", "import MySQLdb"], capture_output=True).returncode == 0


def pytest(title: str, extra: list[str], environment: dict[str, str]) -> int:
    return timed(title, ["-m", "pytest", *extra], environment)


def miniprogram() -> int:
    return timed("mini-program: Vitest", ["miniprogram/scripts/make.py", "test"], {})


def timed(title: str, arguments: list[str], environment: dict[str, str]) -> int:
    # What is compiled is kept, whatever the caller's habit: the tests start hundreds of processes.
    environment = os.environ | environment | {"PYTHONDONTWRITEBYTECODE": ""}
    print(f"\n=== {title}", flush=True)
    started = time.monotonic()
    code = subprocess.run([sys.executable, *arguments], env=environment).returncode
    print(f"=== {title}: {'passed' if code == 0 else 'FAILED'} in {time.monotonic() - started:.0f} s", flush=True)
    return code


def main() -> int:
    required = os.environ.get("REQUIRE_SERVICES") == "1"
    absent = [name for name, port in SERVICES.items() if not answers(port)]
    if not can_speak_mysql():
        absent.append("mysqlclient")
    if absent and required:
        print(f"Required, but absent: {', '.join(absent)}", file=sys.stderr)
        return 1
    embedded = services = QUICK
    if kind := next((mark for option, mark in (("--all", "slow"), ("--drills", "drill")) if option in sys.argv), ""):
        embedded = ["-m", f"{kind} and not services", "--slow", "--timeout=1200"]
        services = ["-m", f"{kind} and services", "--slow", "--timeout=1200"]
    codes = [] if kind else [miniprogram()]
    # No service is used here, but what has nothing to do with services is still required.
    here = {"REQUIRE_SERVICES": "0", "REQUIRE_NODE": str(int(required))}
    codes.append(pytest("embedded default: SQLite, memory, files", embedded, here))
    if absent:
        print(f"Not on the services: {', '.join(absent)} did not answer.")
    else:
        title = "services: MariaDB/MySQL, Redis, RabbitMQ"
        if kind:
            codes.append(pytest(title, services, ON_SERVICES))
        if kind != "drill":
            only = "further cases" if kind else "first cases"
            codes.append(pytest(f"{title}, {only}", QUICK, ON_SERVICES | {"ON_SERVICES_ONLY": only}))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
