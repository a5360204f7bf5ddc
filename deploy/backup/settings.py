"""What backups must know, from the environment; NAME_FILE names a mounted secret instead of NAME."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .errors import WrongUse

KEY_NAMES = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "BLIND_INDEX_KEYS", "AUDIT_KEY")
METHODS = ("physical", "logical")
CLIENTS = ("mariadb", "mysql")


class Environment:
    """Settings by name; what is missing or wrong is named."""

    def text(self, name: str, default: str = "") -> str:
        file = os.environ.get(f"{name}_FILE")
        if not file:
            return os.environ.get(name) or default
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUse(f"{name}_FILE={file} can't be read: {type(error).__name__}") from None

    def required(self, name: str, example: str) -> str:
        value = self.text(name)
        if not value:
            raise WrongUse(f"the setting {name} is missing, for example {name}={example}")
        return value

    def number(self, name: str, default: int) -> int:
        value = self.text(name)
        if value and not value.isdecimal():
            raise WrongUse(f"{name}={value} is not a number, for example {name}={default}")
        return int(value) if value else default

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name) or choices[0]
        if value not in choices:
            raise WrongUse(f"{name}={value} is none of {', '.join(choices)}")
        return value


env = Environment()


@dataclass(frozen=True, slots=True)
class Account:
    """Where a database is, and who asks."""

    host: str
    port: int
    user: str
    password: str
    name: str


def account(url: str, setting: str) -> Account:
    """Read `mysql://user:password@host:port/name`. Raises WrongUse naming the setting, never quoting the password."""
    parts = urlsplit(url)
    name = parts.path.lstrip("/")
    try:
        port = parts.port or 3306
    except ValueError:
        port = 0
    if parts.scheme != "mysql" or not (parts.hostname and parts.username and name and port):
        raise WrongUse(f"{setting} is not mysql://user:password@host:3306/frozenshop")
    return Account(parts.hostname, port, unquote(parts.username), unquote(parts.password or ""), name)


@dataclass(frozen=True, slots=True)
class Target:
    """The repository, and what opens it."""

    repository: str
    password: str
    spool: Path


def var_dir() -> Path:
    return Path(env.text("VAR_DIR") or "var").resolve()


def target() -> Target:
    return Target(
        env.required("BACKUP_REPOSITORY", "s3:https://s3.example.com/backups/shop"),
        env.required("BACKUP_PASSWORD", "<a long random passphrase>"),
        Path(env.text("BACKUP_SPOOL") or var_dir() / "backup").resolve(),
    )


def source() -> Account:
    setting = "BACKUP_DATABASE_URL" if env.text("BACKUP_DATABASE_URL") else "DATABASE_URL"
    return account(env.required(setting, "mysql://backup:password@127.0.0.1:3306/frozenshop"), setting)


def method() -> str:
    return env.choice("BACKUP_METHOD", METHODS)


def client() -> str:
    return env.choice("BACKUP_CLIENT", CLIENTS)


def passphrase() -> str:
    return env.required("BACKUP_KEYS_PASSPHRASE", "<another long passphrase, kept elsewhere>")


def keys() -> dict[str, str]:
    """Return the four keys of the site. Without them nobody can read a consignee of the backup."""
    return {name: env.required(name, "<as the site has it>") for name in KEY_NAMES}


def mongodb_url() -> str:
    return env.text("MONGODB_URL")


def keep() -> list[str]:
    """Return restic's words for how many full backups stay: beside the last of each day all of the newest two days."""
    daily, weekly = env.number("BACKUP_KEEP_DAILY", 7), env.number("BACKUP_KEEP_WEEKLY", 4)
    monthly = env.number("BACKUP_KEEP_MONTHLY", 3)
    if daily < 2:
        raise WrongUse(f"BACKUP_KEEP_DAILY={daily}: one backup alone is none, at least 2")
    return ["--keep-within=2d", f"--keep-daily={daily}", f"--keep-weekly={weekly}", f"--keep-monthly={monthly}"]
