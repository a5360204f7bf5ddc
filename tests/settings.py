"""Settings of the tests: the embedded default, or the services where `DATABASE_URL` and the others name them."""

import base64
import hashlib
import os
import tempfile

_var = os.environ.get("VAR_DIR") or tempfile.mkdtemp(prefix="frozenshop-test-")
os.environ["VAR_DIR"] = _var
_defaults = {
    "DEBUG": "false",
    "SECRET_KEY": "test-only-secret-key-of-more-than-fifty-characters-0123456789",
    "FIELD_ENCRYPTION_KEYS": "t1:" + base64.b64encode(hashlib.sha256(b"sealed in tests").digest()).decode(),
    "BLIND_INDEX_KEYS": "t1:" + base64.b64encode(hashlib.sha256(b"indexed in tests").digest()).decode(),
    "AUDIT_KEY": "test-only-audit-key-of-more-than-thirty-two-characters",
    "ALLOWED_HOSTS": "testserver,127.0.0.1,localhost",
    "SECURE_SSL_REDIRECT": "false",
    "PUBLIC_URL": "https://testserver",
    "KDNIAO_BASE_URL": "https://kdniao.invalid",
    "KDNIAO_BUSINESS_ID": "1237100",
    "KDNIAO_API_KEY": "test-api-key-0000-0001",
    "WECHAT_BASE_URL": "https://wechat.invalid",
    "WECHAT_APPID": "wx0123456789abcdef",
    "WECHAT_APP_SECRET": "test-only-app-secret",
    "WECHAT_PUSH_TOKEN": "frozenfood",
    "WECHAT_PUSH_AES_KEY": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    "METRICS_TOKEN": "test-only-metrics-token",
    "SHOP_PHONE": "4000000000",
    "NOTIFY_THREADS": "1",
    "LOG_KINDS": "none",
    "STAFF_SECOND_FACTOR": "off",
}
for _name, _value in _defaults.items():
    os.environ.setdefault(_name, _value)

if (_redis := os.environ.get("REDIS_URL")) and (_worker := os.environ.get("PYTEST_XDIST_WORKER")):
    # A database for each worker, and for the processes that it starts: clearing the cache empties all of it.
    _url, _, _number = os.environ.setdefault("SHARED_REDIS_URL", _redis).rpartition("/")
    os.environ["REDIS_URL"] = f"{_url}/{int(_number) + int(_worker.removeprefix('gw'))}"

from frozenshop.settings import *  # noqa: E402, F403
from frozenshop.settings import DATABASES  # noqa: E402

DATABASES["default"].setdefault("TEST", {})
if "mysql" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["TEST"]["NAME"] = "test_frozenshop" + os.environ.get("TEST_DATABASE_SUFFIX", "")
else:
    # A file, as in production: several connections wait for each other, where memory would refuse the second.
    DATABASES["default"]["TEST"]["NAME"] = f"{_var}/test.sqlite3"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# A folder in which nothing comes and goes while WhiteNoise reads it.
STATIC_ROOT = f"{_var}/static"
os.makedirs(STATIC_ROOT, exist_ok=True)
MINIPROGRAM_DIR = f"{_var}/miniprogram"
