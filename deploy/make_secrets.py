"""Make every secret of a deployment, one file for each: `python3 deploy/make_secrets.py [FOLDER]`.

`app/` is what the program reads, for compose and for the Kubernetes Secret `frozenshop`; `stores/` is what the
databases beside it read (`frozenshop-stores`), `backup/` what only backups do (`frozenshop-backup`). A file that exists
is kept. An empty file is a setting that is off. Only the standard library.
"""

import runpy
import secrets
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# By its path: the package itself needs what only the image has.
make_secret = runpy.run_path(str(HERE.parent / "frozenshop/bootstrap.py"))["make_secret"]
KEYS = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "BLIND_INDEX_KEYS", "AUDIT_KEY")


def setting_names() -> list[str]:
    lines = (HERE / "k8s/components/settings/secret-files.env").read_text().splitlines()
    return [line.split("_FILE=")[0] for line in lines if "_FILE=" in line]


def for_stores(folder: Path) -> dict[str, str]:
    """Return the stores' files; what is there already decides the passwords in the program's addresses."""
    names = ("mysql", "root", "backup", "mongodb", "mongodb_root", "rabbitmq", "redis")
    password = {name: secrets.token_hex(24) for name in names}
    values = {
        "MYSQL_PASSWORD": password["mysql"],
        "MYSQL_ROOT_PASSWORD": password["root"],
        "MYSQL_BACKUP_PASSWORD": password["backup"],
        "MONGODB_PASSWORD": password["mongodb"],
        "MONGODB_ROOT_PASSWORD": password["mongodb_root"],
        "rabbitmq.conf": f"default_user = frozenshop\ndefault_pass = {password['rabbitmq']}",
        "redis.conf": f"requirepass {password['redis']}",
        "GRAFANA_PASSWORD": secrets.token_urlsafe(18),
    }
    return {name: _kept(folder / name) or value for name, value in values.items()}


def for_program(stores: dict[str, str]) -> dict[str, str]:
    rabbitmq, redis = (stores[name].split()[-1] for name in ("rabbitmq.conf", "redis.conf"))
    made = {name: make_secret(name) for name in KEYS} | {
        "METRICS_TOKEN": secrets.token_urlsafe(32),
        "DATABASE_URL": f"mysql://frozenshop:{stores['MYSQL_PASSWORD']}@mysql:3306/frozenshop",
        "REDIS_URL": f"redis://:{redis}@redis:6379/0",
        "CELERY_BROKER_URL": f"amqp://frozenshop:{rabbitmq}@rabbitmq:5672//",
        "MONGODB_URL": f"mongodb://frozenshop:{stores['MONGODB_PASSWORD']}@mongodb:27017/frozenshop",
    }
    return {name: made.get(name, "") for name in setting_names()}


def for_backups(stores: dict[str, str]) -> dict[str, str]:
    return {
        "BACKUP_DATABASE_URL": f"mysql://backup:{stores['MYSQL_BACKUP_PASSWORD']}@mysql:3306/frozenshop",
        "BACKUP_PASSWORD": secrets.token_urlsafe(32),
        "BACKUP_KEYS_PASSPHRASE": secrets.token_urlsafe(32),
        "AWS_CREDENTIALS": "",
    }


def write(folder: Path, values: dict[str, str]) -> int:
    """Write the files that aren't there. The folder is its owner's alone; the files are readable inside containers."""
    folder.mkdir(parents=True, exist_ok=True)
    new = {folder / name: value for name, value in values.items() if not (folder / name).exists()}
    for path, value in new.items():
        path.write_text(value + "\n" if value else "")
        path.chmod(0o444)
    return len(new)


def _kept(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def main() -> int:
    if len(sys.argv) > 2 or sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(sys.argv[1]) if sys.argv[1:] else HERE / "secrets"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    stores = for_stores(folder / "stores")
    parts = {"stores": stores, "app": for_program(stores), "backup": for_backups(stores)}
    made = sum(write(folder / part, values) for part, values in parts.items())
    print(f"{made} new files in {folder}; what was there is as it was.")
    print("Keep copies of app/*_KEY* and backup/BACKUP_* where the backups are not: without them these can't be read.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
