"""Make random secrets: `var/local.env` for a first `make run`, or one value on standard output.

Runs before Django's settings can be read.
"""

import base64
import os
import secrets
import sys
from pathlib import Path
from urllib.parse import quote


def make_secret(name: str) -> str:
    """Return a fresh value in the form that the setting `name` wants."""
    if name in ("FIELD_ENCRYPTION_KEYS", "BLIND_INDEX_KEYS"):
        return "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(48)


def write_local_env(path: Path, *, port: int, sandbox_port: int) -> None:
    """Write the settings of a local demo, readable by the owner only. An existing file keeps its secrets."""
    known = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line) if path.exists() else {}
    sandbox = f"http://127.0.0.1:{sandbox_port}"
    values = {
        name: make_secret(name) for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "BLIND_INDEX_KEYS", "AUDIT_KEY")
    }
    values |= {
        "KDNIAO_BUSINESS_ID": str(secrets.randbelow(900_000) + 1_000_000),
        "KDNIAO_API_KEY": secrets.token_hex(16),
        "SF_PARTNER_ID": "DEMO" + secrets.token_hex(3).upper(),
        "SF_CHECKWORD": secrets.token_urlsafe(24),
        "SF_CALLBACK_SECRETS": secrets.token_hex(16),
        "KUAIDI100_CUSTOMER": secrets.token_hex(16).upper(),
        "KUAIDI100_KEY": secrets.token_urlsafe(9),
        "KUAIDI100_CALLBACK_SALT": secrets.token_hex(16),
        "CAINIAO_PROVIDER_ID": secrets.token_hex(16),
        "CAINIAO_APP_CODE": f"demo-{secrets.token_hex(3)}",
        "CAINIAO_SECRET": secrets.token_hex(16),
        "CAINIAO_CALLBACK_SECRETS": secrets.token_hex(16),
        "WECHAT_APPID": "wx" + secrets.token_hex(8),
        "WECHAT_APP_SECRET": secrets.token_hex(16),
        "WECHAT_PUSH_TOKEN": secrets.token_hex(16),
        # 43 letters that are 32 bytes of base64 without its last sign.
        "WECHAT_PUSH_AES_KEY": base64.b64encode(secrets.token_bytes(32)).decode().rstrip("="),
        "WECHAT_MCHID": f"19{secrets.randbelow(10**8):08}",
        "WECHAT_OFFICIAL_APPID": "wx" + secrets.token_hex(8),
        "WECHAT_OFFICIAL_APP_SECRET": secrets.token_hex(16),
        "ALIYUN_SMS_ACCESS_KEY_ID": "LTAI" + secrets.token_hex(10),
        "ALIYUN_SMS_ACCESS_KEY_SECRET": secrets.token_hex(15),
        "ALIYUN_SMS_SIGN_NAME": "冻品小店",
        "ALIYUN_SMS_CODE_TEMPLATE": "SMS_100000001",
        "ALIYUN_SMS_CALLBACK_SECRETS": secrets.token_hex(16),
        "TENCENT_SMS_SECRET_ID": "AKID" + secrets.token_hex(16),
        "TENCENT_SMS_SECRET_KEY": secrets.token_hex(16),
        "TENCENT_SMS_SDK_APP_ID": str(secrets.randbelow(900_000) + 1_400_000_000),
        "TENCENT_SMS_SIGN_NAME": "冻品小店",
        "TENCENT_SMS_CODE_TEMPLATE": "1000001",
        "TENCENT_SMS_CODE_FIELDS": "code,minutes",
        "TENCENT_SMS_CALLBACK_SECRETS": secrets.token_hex(16),
        "METRICS_TOKEN": secrets.token_urlsafe(24),
        "SHOP_PHONE": "4000000000",
        "NOTICE_DAILY_CAP": "1000",  # the one demo buyer is told of every order, not of the first eight messages
        "LOG_LEVEL": "WARNING",  # else the addresses scroll out of sight
    }
    values |= known
    values |= {
        "DEBUG": "true",
        "LOCAL_DEMO": "true",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SANDBOX_PORT": str(sandbox_port),
        "KDNIAO_BASE_URL": sandbox,
        "CAINIAO_BASE_URL": sandbox,
        "SF_BASE_URL": sandbox,
        "KUAIDI100_BASE_URL": sandbox,
        "WECHAT_BASE_URL": sandbox,
        "WECOM_BOT_URL": f"{sandbox}/cgi-bin/webhook/send?key={secrets.token_hex(16)}",
        "EMAIL_URL": f"filemail:///{quote(str(path.parent.resolve() / 'mail'))}",
        "ALIYUN_SMS_BASE_URL": sandbox,
        "TENCENT_SMS_BASE_URL": sandbox,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] != "local":
        print(make_secret(sys.argv[1]))
    else:
        write_local_env(
            Path(os.environ.get("VAR_DIR") or "var") / "local.env",
            port=int(os.environ.get("PORT") or 8000),
            sandbox_port=int(os.environ.get("SANDBOX_PORT") or 8001),
        )
