"""A MariaDB/MySQL database of N demo orders, made by the project's own command and kept for the next run."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVER = os.environ.get("BENCH_DATABASE_SERVER", "mysql://root@127.0.0.1:3306")
REDIS = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/6")


def environment(orders: int) -> dict[str, str]:
    """Return the settings under which the program sees the database of that size. Its secrets stay under var/."""
    folder = ROOT / "var" / f"bench-{orders}"
    folder.mkdir(parents=True, exist_ok=True)
    run([sys.executable, "-m", "frozenshop.bootstrap", "local"], {"VAR_DIR": str(folder)})
    return {
        "VAR_DIR": str(folder),
        "DATABASE_URL": f"{SERVER}/frozenshop_bench_{orders}",
        "REDIS_URL": REDIS,
        "REDIS_KEY_PREFIX": f"bench{orders}",
        "DJANGO_SETTINGS_MODULE": "frozenshop.settings",
        # As in production: with DEBUG Django would note every statement.
        "DEBUG": "false",
        "ALLOWED_HOSTS": "127.0.0.1",
        "ALLOW_LOOPBACK_INTEGRATIONS": "true",
        "SECURE_SSL_REDIRECT": "false",
        "LOCAL_DEMO": "false",
        "PYTHONPATH": str(ROOT),
    }


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=os.environ | environment, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def manage(environment: dict[str, str], *arguments: str) -> str:
    return run([sys.executable, "manage.py", *arguments], environment)


def prepared(orders: int, *, days: int = 180, with_events: int | None = None) -> tuple[dict[str, str], float | None]:
    """Return the environment of a database of that size, and the seconds that seeding took (None: it stood).

    What stands is taken as it is, whatever days and events it was made with.
    """
    made = environment(orders)
    ready = Path(made["VAR_DIR"]) / "seeded"
    if ready.exists():
        manage(made, "migrate", "--verbosity=0")
        return made, None
    name = f"frozenshop_bench_{orders}"
    create = f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4"
    run([sys.executable, "-c", CREATE, SERVER, create], {})
    manage(made, "migrate", "--verbosity=0")
    manage(made, "load_base_data")
    started = time.monotonic()
    whole = orders if with_events is None else with_events
    seed = [f"--orders={orders}", f"--days={days}", "--seed=1", f"--with-events={whole}"]
    manage(made | {"DEBUG": "true"}, "seed_demo", *seed)
    seconds = time.monotonic() - started
    run([sys.executable, "-c", CREATE, f"{SERVER}/frozenshop_bench_{orders}", ANALYZE], {})
    ready.write_text(f"{seconds:.1f}\n")
    return made, seconds


CREATE = """
import sys, environ, MySQLdb
url = environ.Env.db_url_config(sys.argv[1])
connection = MySQLdb.connect(host=url["HOST"], port=url["PORT"] or 3306, user=url["USER"], passwd=url["PASSWORD"] or "",
                             **({"db": url["NAME"]} if url["NAME"] else {}))
for statement in sys.argv[2].split(";"):
    cursor = connection.cursor(); cursor.execute(statement); cursor.fetchall(); cursor.close()
"""
ANALYZE = (
    "ANALYZE TABLE orders_order, orders_orderaccess, orders_orderline, orders_orderevent, orders_alert, "
    "logistics_shipment, logistics_shipmentorder, logistics_shipmentline, logistics_trackingevent"
)
