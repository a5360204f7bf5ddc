"""What production refuses to start with: `manage.py` in a process of its own, with nothing but the settings given."""

import base64
import os
import secrets
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from frozenshop.bootstrap import make_secret

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(bool(os.environ.get("REDIS_URL")), reason="the same on either run")
KEYS = ("SECRET_KEY", "AUDIT_KEY", "FIELD_ENCRYPTION_KEYS", "BLIND_INDEX_KEYS")
NOBODY = "127.0.0.1:9"
CHECK = ("check", "--deploy", "--fail-level", "WARNING")

PRODUCTION = {
    "DEBUG": "false",
    "ALLOWED_HOSTS": "shop.example.com",
    "PUBLIC_URL": "https://shop.example.com",
    "DATABASE_URL": f"mysql://frozenshop:secret@{NOBODY}/frozenshop"
    if find_spec("MySQLdb")
    else "sqlite:////nowhere/x",
    "REDIS_URL": f"redis://{NOBODY}/0",
    "CELERY_BROKER_URL": f"amqp://shop:secret@{NOBODY}//",
    "KDNIAO_BUSINESS_ID": "1237100",
    "KDNIAO_API_KEY": secrets.token_hex(16),
    "WECHAT_APPID": "wx0123456789abcdef",
    "WECHAT_APP_SECRET": secrets.token_hex(16),
    "STAFF_SECOND_FACTOR": "required",
    "METRICS_TOKEN": secrets.token_urlsafe(24),
    "BACKUP_REPOSITORY": "s3:https://s3.example.com/backups/shop",
    **{name: make_secret(name) for name in KEYS},
}


@pytest.fixture
def manage(tmp_path):
    """Run `manage.py` with production's settings, changed as told; None leaves one out."""

    def run(*command: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
        settings = {name: value for name, value in (PRODUCTION | changes).items() if value is not None}
        environment = settings | {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)}
        start = [sys.executable, "manage.py", *command]
        return subprocess.run(start, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    return run


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command that must not succeed says, once it is known to be a sentence and no traceback."""
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


EVERY_INTEGRATION = {
    "CAINIAO_PROVIDER_ID": "shop",
    "CAINIAO_APP_CODE": "app",
    "CAINIAO_SECRET": secrets.token_hex(16),
    "KUAIDI100_CUSTOMER": secrets.token_hex(16).upper(),
    "KUAIDI100_KEY": "abcdefGH1234",
    "KUAIDI100_CALLBACK_SALT": secrets.token_hex(16),
    "SF_PARTNER_ID": "shop",
    "SF_CHECKWORD": secrets.token_hex(16),
    "SF_CALLBACK_SECRETS": secrets.token_urlsafe(24),
    "WECHAT_PUSH_TOKEN": secrets.token_hex(16),
    "WECHAT_PUSH_AES_KEY": secrets.token_hex(32)[:43],
    "WECHAT_MCHID": "1900000109",
    "WECHAT_OFFICIAL_APPID": "wxfedcba9876543210",
    "WECHAT_OFFICIAL_APP_SECRET": secrets.token_hex(16),
    "ALIYUN_SMS_ACCESS_KEY_ID": "shop",
    "ALIYUN_SMS_ACCESS_KEY_SECRET": secrets.token_hex(16),
    "ALIYUN_SMS_SIGN_NAME": "冻品小店",
    "ALIYUN_SMS_CALLBACK_SECRETS": secrets.token_urlsafe(24),
    "TENCENT_SMS_SECRET_ID": "shop",
    "TENCENT_SMS_SECRET_KEY": secrets.token_hex(16),
    "TENCENT_SMS_SDK_APP_ID": "1400006666",
    "TENCENT_SMS_SIGN_NAME": "冻品小店",
    "TENCENT_SMS_CALLBACK_SECRETS": secrets.token_urlsafe(24),
    "WECOM_BOT_URL": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=" + secrets.token_hex(16),
    "EMAIL_URL": "smtp+tls://shop:secret@mail.example.com:587",
    "EMAIL_FROM": "shop@example.com",
    "ALIYUN_SMS_CODE_TEMPLATE": "SMS_123456789",
    "TENCENT_SMS_CODE_TEMPLATE": "1234567",
    "MONGODB_URL": f"mongodb://shop:secret@{NOBODY}/shop",
    "REPLICA_DATABASE_URL": f"mysql://reader:secret@{NOBODY}/frozenshop",
}


def test_the_check_is_clean_with_the_settings_of_production(manage):
    done = manage(*CHECK, **EVERY_INTEGRATION)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr


def test_an_integration_without_its_keys_is_off_and_says_so_once(manage):
    done = manage(*CHECK)
    said = [line.split(".")[0].strip("?: (") for line in done.stderr.splitlines() if line.startswith("?:")]
    assert done.returncode == 0
    assert {"cainiao", "kuaidi100", "sf", "aliyun_sms", "tencent_sms", "wecom_bot", "email"} <= set(said)
    assert {"wechat_official", "mongodb", "replica"} <= set(said)
    assert len(said) == len(set(said))
    assert not {"ERRORS:", "WARNINGS:"} & set(done.stderr.splitlines())


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("value", [None, "short"])
def test_without_a_key_nothing_starts(manage, name, value):
    said = refusal(manage(*CHECK, **{name: value}))
    assert f"缺少设置 {name}" in said
    assert f"{name}=$(python -m frozenshop.bootstrap {name})" in said
    assert len(said.splitlines()) == 1


def test_a_command_of_ours_says_the_same_as_one_of_djangos(manage):
    assert "缺少设置 AUDIT_KEY" in refusal(manage("relay", AUDIT_KEY=None))


DEFAULTS = {
    "SECRET_KEY": "django-insecure-" + "a1b2c3d4e5" * 5,
    "AUDIT_KEY": "change-me-" * 6,
    "FIELD_ENCRYPTION_KEYS": "k1:" + base64.b64encode(bytes(32)).decode(),
    "BLIND_INDEX_KEYS": "k1:" + base64.b64encode(b"0123456789abcdef").decode() + "=" * 10,
}


@pytest.mark.parametrize("name", KEYS)
def test_a_default_or_malformed_key_is_refused_by_name_with_an_example(manage, name):
    said = refusal(manage(*CHECK, **{name: DEFAULTS[name]}))
    assert name in said
    assert f"python -m frozenshop.bootstrap {name}" in said
    assert DEFAULTS[name] not in said


@pytest.mark.parametrize("name", ["SECRET_KEY", "BLIND_INDEX_KEYS"])
def test_the_web_server_too_refuses_a_default_key(tmp_path, name):
    environment = PRODUCTION | {name: DEFAULTS[name], "PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)}
    start = [sys.executable, "-c", "import frozenshop.wsgi"]
    done = subprocess.run(start, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert name in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("absent", [("KDNIAO_BUSINESS_ID", "WECHAT_APPID"), ("KDNIAO_API_KEY", "WECHAT_APP_SECRET")])
def test_half_an_integration_is_refused_by_name(manage, absent):
    said = refusal(manage(*CHECK, **dict.fromkeys(absent)))
    assert [name for name in absent if name not in said] == []


def test_an_integration_without_keys_is_off_and_says_so_without_failing(manage):
    done = manage(*CHECK, KDNIAO_BUSINESS_ID=None, KDNIAO_API_KEY=None, WECHAT_APPID=None, WECHAT_APP_SECRET=None)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("url", ["http://api.example.com", "https://127.0.0.1:8001", "https://0.0.0.0/"])
def test_an_integration_goes_over_https_and_off_this_machine(manage, url):
    said = refusal(manage(*CHECK, KDNIAO_BASE_URL=url, WECHAT_BASE_URL=url))
    assert "KDNIAO_BASE_URL" in said
    assert "WECHAT_BASE_URL" in said


def test_a_value_may_come_from_a_mounted_file(manage, tmp_path):
    mounted = tmp_path / "audit_key"
    mounted.write_text(make_secret("AUDIT_KEY") + "\n")
    done = manage(*CHECK, AUDIT_KEY=None, AUDIT_KEY_FILE=str(mounted))
    assert done.returncode == 0, done.stderr
