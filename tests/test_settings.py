"""Every setting of .env.example, given nonsense, is refused by its name: by the settings themselves or by a check."""

import os
import re
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import ERROR, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from deploy.backup import settings as backups
from deploy.backup.errors import WrongUse
from frozenshop.bootstrap import make_secret

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(bool(os.environ.get("REDIS_URL")), reason="the same on either run")
WRITTEN = re.findall(r"^([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
KEYS = ("SECRET_KEY", "AUDIT_KEY", "FIELD_ENCRYPTION_KEYS", "BLIND_INDEX_KEYS")
GOOD = {
    "ALLOWED_HOSTS": "shop.example.com",
    "PUBLIC_URL": "https://shop.example.com",
    "DATABASE_URL": "mysql://shop:secret@127.0.0.1:9/shop",
    **{name: make_secret(name) for name in KEYS},
}
NONSENSE = "no-such thing:*"

# What may be any text: names, accounts and secrets that only their services can judge.
TEXT = {
    *("ALLOWED_HOSTS", "SHOP_NAME", "SHOP_PHONE", "METRICS_TOKEN", "EMAIL_FROM"),
    *("WECHAT_PUSH_TOKEN", "WECHAT_MCHID", "ALIYUN_SMS_CODE_TEMPLATE", "TENCENT_SMS_CODE_TEMPLATE"),
    *("KUAIDI100_CALLBACK_SALT", "MINIPROGRAM_DIR"),
    *("BACKUP_REPOSITORY", "BACKUP_PASSWORD", "BACKUP_KEYS_PASSPHRASE", "BACKUP_SPOOL"),
}
# Read by the commands of deploy/backup alone.
BACKUPS = (backups.source, backups.method, backups.client, backups.keep)


def settings_with(monkeypatch: pytest.MonkeyPatch, folder: Path, **given: str) -> dict[str, object]:
    """Read the settings as a process with this environment does. Raises ImproperlyConfigured."""
    for name in [name for name in os.environ if name.removesuffix("_FILE") in WRITTEN]:
        monkeypatch.delenv(name)
    for name, value in (GOOD | {"VAR_DIR": str(folder)} | given).items():
        monkeypatch.setenv(name, value)
    found = runpy.run_path(str(ROOT / "frozenshop/settings.py"))
    return {name: value for name, value in found.items() if name.isupper()}


def refusals(monkeypatch: pytest.MonkeyPatch, folder: Path, **given: str) -> list[str]:
    """Return what keeps a process with this environment from starting, one line for each fault."""
    try:
        values = settings_with(monkeypatch, folder, **given)
    except ImproperlyConfigured as error:
        return [str(error)]
    try:
        _ = [read() for read in BACKUPS]
    except WrongUse as error:
        return [str(error)]
    # Nothing here asks the database.
    left = {name: value for name, value in values.items() if name not in ("DATABASES", "DATABASE_ROUTERS", "LOGGING")}
    with override_settings(**left):
        return [f"{one.msg}{one.hint or ''}" for one in run_checks() if one.level >= ERROR]


def test_the_settings_that_all_these_tests_begin_with_are_right(monkeypatch, tmp_path):
    assert refusals(monkeypatch, tmp_path) == []


@pytest.mark.parametrize("name", sorted(set(WRITTEN) - TEXT))
def test_nonsense_is_refused_by_name(monkeypatch, tmp_path, name):
    value = str(tmp_path / "file") if name == "VAR_DIR" else NONSENSE
    (tmp_path / "file").touch()
    found = refusals(monkeypatch, tmp_path, **{name: value})
    assert any(name in line for line in found), found


@pytest.mark.parametrize("name", sorted(TEXT))
def test_what_may_be_any_text_is_taken(monkeypatch, tmp_path, name):
    assert refusals(monkeypatch, tmp_path, **{name: NONSENSE}) == []


WRONG = [
    ("OUTBOX_RESEND_SECONDS", "100"),
    ("NOTIFY_THREADS", "0"),
    ("TRUSTED_PROXIES", "-1"),
    ("CELERY_BROKER_URL", "http://x"),
    ("REDIS_URL", "127.0.0.1:6379"),
    ("DATABASE_URL", "mysql://host:3306/"),
    ("REPLICA_DATABASE_URL", "mysql://host:3306/"),
    ("REPLICA_MAX_LAG_SECONDS", "1"),
    ("REPLICA_MAX_LAG_SECONDS", "61"),
    ("MIGRATE_TRIES", "0"),
    ("DATABASE_URL", "postgres://host/shop"),
    ("PUBLIC_URL", "http://shop.example.com"),
    ("PUBLIC_URL", "shop.example.com"),
    ("METRICS_PORT", "99999"),
    ("METRICS_NETWORKS", "10.0.0.0/33"),
    ("WECHAT_PUSH_MODE", "foo"),
    ("LOG_LEVEL", "LOUD"),
    ("SECURE_SSL_REDIRECT", "maybe"),
    ("AUDIT_KEY", ""),
    ("REDIS_URL_FILE", "/run/secrets/not-there"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_refused_with_an_example(monkeypatch, tmp_path, name, value):
    found = refusals(monkeypatch, tmp_path, **{name: value})
    assert any(name in line and ("例如" in line or "只能是" in line) for line in found), found


def test_every_setting_that_is_read_is_written_down(monkeypatch, tmp_path):
    assert settings_with(monkeypatch, tmp_path)["KNOWN_SETTINGS"] <= set(WRITTEN)


def roles(port: int) -> dict[str, list[str]]:
    programs = Path(sys.executable).parent
    celery = [str(programs / "celery"), "-A", "frozenshop"]
    web = [str(programs / "granian"), "--interface", "wsgi", "--port", str(port), "frozenshop.wsgi:application"]
    return {
        "web": web,
        "worker": [*celery, "worker", "--pool", "solo"],
        "relay": [sys.executable, "manage.py", "relay"],
        "beat": [*celery, "beat", "--pidfile="],
        "migrate": [sys.executable, "manage.py", "migrate", "--noinput"],
    }


@pytest.mark.slow
@pytest.mark.parametrize("role", ["web", "worker", "relay", "beat", "migrate"])
@pytest.mark.parametrize(("name", "value"), [("DATABASE_URL", "foo"), ("KDNIAO_API_KEY", "c4a43661405ac273")])
def test_no_role_starts_with_a_wrong_setting_and_each_says_why(tmp_path, role, name, value):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        command = roles(probe.getsockname()[1])[role]
    environment = GOOD | {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), name: value}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode not in (0, None)
    assert "Traceback" not in said
    assert any(name in line for line in said.splitlines()), said
