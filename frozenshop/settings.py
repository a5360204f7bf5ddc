"""Settings, all read from the environment, `.env`, or (for `make run`) `var/local.env`.

`.env.example` names every one with a remark. A value may be given as a mounted file by `NAME_FILE`.
"""

import os
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from csp.constants import NONE as CSP_NONE
from csp.constants import SELF as CSP_SELF
from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue

from frozenshop.kernel import logging as json_logging
from frozenshop.kernel.env import Env, refusal

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("VAR_DIR") or BASE_DIR / "var")

env = Env()
for _file in (BASE_DIR / ".env", VAR_DIR / "local.env"):
    env.read_file(_file)
VAR_DIR = env.folder("VAR_DIR", VAR_DIR)

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
FIELD_ENCRYPTION_KEYS = env.str("FIELD_ENCRYPTION_KEYS", default="")
BLIND_INDEX_KEYS = env.str("BLIND_INDEX_KEYS", default="")
AUDIT_KEY = env.str("AUDIT_KEY", default="")
for _name, _value in (
    ("SECRET_KEY", SECRET_KEY),
    ("FIELD_ENCRYPTION_KEYS", FIELD_ENCRYPTION_KEYS),
    ("BLIND_INDEX_KEYS", BLIND_INDEX_KEYS),
    ("AUDIT_KEY", AUDIT_KEY),
):
    if len(_value) < 32:
        raise ImproperlyConfigured(
            f"缺少设置 {_name}（至少 32 个字符）。开发时运行 `make run` 会自动生成；"
            f"生产环境见 .env.example，例如：{_name}=$(python -m frozenshop.bootstrap {_name})"
        )

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"] if DEBUG else [])
PUBLIC_URL = env.url("PUBLIC_URL", "https://shop.example.com", default="http://127.0.0.1:8000").rstrip("/")
SHOP_NAME = env.str("SHOP_NAME", default="冻品小店")
SHOP_PHONE = env.str("SHOP_PHONE", default="")
SANDBOX_PORT = env.int("SANDBOX_PORT", default=8001, at_least=1, at_most=65535)
LOCAL_DEMO = env.bool("LOCAL_DEMO", default=False)

INSTALLED_APPS = [
    "frozenshop.kernel",
    "orders",
    "logistics",
    "notifications",
    "frozenshop.api",
    "frozenshop.backoffice",
    "frozenshop.backoffice.apps.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "django_celery_beat",
]

MIDDLEWARE = [
    "frozenshop.kernel.draining.DrainMiddleware",
    "frozenshop.kernel.request_id.RequestIdMiddleware",
    "frozenshop.kernel.metrics.MetricsMiddleware",
    "frozenshop.kernel.logstore.access.AccessMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "frozenshop.api.lane.ApiLane",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "frozenshop.backoffice.signin.sessions.SessionLimits",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "frozenshop.urls"
WSGI_APPLICATION = "frozenshop.wsgi.application"
APPEND_SLASH = True

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- database -------------------------------------------------------------------------------------
_mysql = "mysql://user:password@host:3306/frozenshop"
_url = env.url("DATABASE_URL", _mysql, default=f"sqlite:///{VAR_DIR}/frozenshop.sqlite3", hostless=["sqlite"])
_database: dict[str, Any] = dict(environ.Env.db_url_config(_url))
if not _database["NAME"]:
    raise refusal("DATABASE_URL", "没有数据库名", _mysql)
EMBEDDED = _database["ENGINE"].endswith("sqlite3")
if EMBEDDED:
    _database["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;",
    }
    _database["CONN_MAX_AGE"] = 600
else:
    _database["OPTIONS"] = {
        "charset": "utf8mb4",
        "isolation_level": "read committed",
        "connect_timeout": 5,
        # Each question has one index made for it. Of two laid over each other one is read whole: for a few open alerts
        # of one kind, all alerts without an incident.
        "init_command": "SET sql_mode='STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', "
        "optimizer_switch='index_merge_intersection=off'",
    }
    _database["CONN_MAX_AGE"] = 300
    _database["CONN_HEALTH_CHECKS"] = True
DATABASES = {"default": _database}
# At most so long as the cache remembers of a document that it is out of date, after the document itself has gone.
REPLICA_MAX_LAG_SECONDS = env.float("REPLICA_MAX_LAG_SECONDS", default=5, at_least=2, at_most=60)
if _replica_url := env.url("REPLICA_DATABASE_URL", "mysql://reader:password@replica:3306/frozenshop"):
    _replica: dict[str, Any] = dict(environ.Env.db_url_config(_replica_url))
    if EMBEDDED or _replica.get("ENGINE") != _database["ENGINE"] or not _replica["NAME"]:
        raise ImproperlyConfigured(
            "REPLICA_DATABASE_URL 不可用：主库和只读副本都须是 MySQL/MariaDB，并写明数据库名，"
            "例如 REPLICA_DATABASE_URL=mysql://reader:密码@replica:3306/frozenshop（不用副本则留空）"
        )
    # A replica that hangs is given up soon: the same question is then asked of the primary.
    _replica["OPTIONS"] = {**_database["OPTIONS"], "connect_timeout": 2, "read_timeout": 5}
    _replica |= {"CONN_MAX_AGE": 300, "CONN_HEALTH_CHECKS": True, "TEST": {"MIRROR": "default"}}
    DATABASES["replica"] = _replica
    DATABASE_ROUTERS = ["frozenshop.kernel.replica.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- cache ----------------------------------------------------------------------------------------
REDIS_URL = env.url("REDIS_URL", "redis://host:6379/0", hostless=["unix"])
REDIS_KEY_PREFIX = env.word("REDIS_KEY_PREFIX", default="fs")
if REDIS_URL:
    CACHES: dict[str, dict[str, Any]] = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": REDIS_KEY_PREFIX,
            "OPTIONS": {
                "CLIENT_CLASS": "django_redis.client.DefaultClient",
                "SERIALIZER": "frozenshop.kernel.caching.Serializer",
                "SOCKET_CONNECT_TIMEOUT": 1,
                "SOCKET_TIMEOUT": 1,
            },
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "frozenshop"}}

# --- jobs -----------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.url(
    "CELERY_BROKER_URL", "amqp://user:password@host:5672//", default="filesystem://", hostless=["filesystem"]
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_ACKS_ON_FAILURE_OR_TIMEOUT = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ETA_TASK_LIMIT = 1000
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Celery would connect to the database anew for each task; the outbox's tasks look after the age of connections instead.
CELERY_DB_REUSE_MAX = 1_000_000_000
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULER = "frozenshop.kernel.beat:LedgerScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_TASK_DEFAULT_QUEUE = env.word("CELERY_QUEUE", default="frozenshop")
SCHEDULE = "frozenshop.schedule.JOBS"
# How long the relay may keep a claim, and after how long a sent message without result is sent again.
OUTBOX_LEASE_SECONDS = env.float("OUTBOX_LEASE_SECONDS", default=30, at_least=1)
OUTBOX_RESEND_SECONDS = env.float("OUTBOX_RESEND_SECONDS", default=600, at_least=1)
MIGRATE_TRIES = env.int("MIGRATE_TRIES", default=20, at_least=1)
if CELERY_BROKER_URL.startswith("filesystem"):
    _broker_dir = VAR_DIR / "broker"
    for _name in ("queue", "control"):
        (_broker_dir / _name).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "data_folder_in": str(_broker_dir / "queue"),
        "data_folder_out": str(_broker_dir / "queue"),
        "control_folder": str(_broker_dir / "control"),
        "store_processed": False,
    }
else:
    CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum"
    CELERY_TASK_DEFAULT_EXCHANGE_TYPE = "topic"
    CELERY_TASK_DEFAULT_EXCHANGE = CELERY_TASK_DEFAULT_QUEUE
    # A queue for each kind of work: a slow carrier holds up no message. A worker serves all of them, or its --queues.
    CELERY_TASK_ROUTES = {
        "logistics.*": {"queue": f"{CELERY_TASK_DEFAULT_QUEUE}.tracking"},
        "notifications.*": {"queue": f"{CELERY_TASK_DEFAULT_QUEUE}.messages"},
    }
    # A message that came back this often kills its workers; its outbox row stays, and is dead after its last attempt.
    CELERY_TASK_QUEUES = [
        Queue(
            name,
            Exchange(CELERY_TASK_DEFAULT_EXCHANGE, type="topic"),
            routing_key=name,
            queue_arguments={"x-queue-type": "quorum", "x-delivery-limit": 20},
        )
        for name in (CELERY_TASK_DEFAULT_QUEUE, *(route["queue"] for route in CELERY_TASK_ROUTES.values()))
    ]
    CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True, "read_timeout": 3, "write_timeout": 3}

# --- people ---------------------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# off, optional (who has one is asked for it) or required (who has none must add one before anything else).
STAFF_SECOND_FACTOR = env.choice("STAFF_SECOND_FACTOR", ["off", "optional", "required"], default="optional")
STAFF_SESSION_HOURS = env.int("STAFF_SESSION_HOURS", default=12, at_least=1, at_most=720)
STAFF_IDLE_MINUTES = env.int("STAFF_IDLE_MINUTES", default=60, at_least=5, at_most=1440)
SESSION_COOKIE_AGE = STAFF_SESSION_HOURS * 3600
# How long after a password or second factor staff may unmask, export and change roles without giving it again.
STAFF_REAUTH_MINUTES = env.int("STAFF_REAUTH_MINUTES", default=15, at_least=1, at_most=1440)
EXPORT_KEEP_HOURS = env.int("EXPORT_KEEP_HOURS", default=24, at_least=1, at_most=720)
EXPORT_UNMASKED_ROWS = env.int("EXPORT_UNMASKED_ROWS", default=20_000, at_least=1, at_most=1_000_000)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0, at_least=0, at_most=10)
if not DEBUG:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]

# Of staff's pages; buyers' pages and the driver's say their own. No script and no style stands in a page itself.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [CSP_NONE],
        "script-src": [CSP_SELF],
        "style-src": [CSP_SELF],
        "img-src": [CSP_SELF, "data:"],
        "font-src": [CSP_SELF],
        "connect-src": [CSP_SELF],
        "form-action": [CSP_SELF],
        "base-uri": [CSP_NONE],
        "frame-ancestors": [CSP_NONE],
    }
}

# --- language and time ----------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
FORMAT_MODULE_PATH = "frozenshop.formats"
TIME_ZONE = "Asia/Shanghai"
USE_I18N = True
USE_TZ = True

# --- files ----------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = DEBUG
# The mini-program as built for browsers, served under /m/.
MINIPROGRAM_DIR = env.str("MINIPROGRAM_DIR", default="") or str(BASE_DIR / "miniprogram/dist/build/h5")
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
# The batch view lists up to 1,000 orders, each with its box.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2500
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]

# --- API ------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "frozenshop.api.describing.SignedSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "EXCEPTION_HANDLER": "frozenshop.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "frozenshop",
    "DESCRIPTION": "冻品订单物流跟踪：买家接口与商户接口",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "ENUM_NAME_OVERRIDES": {
        "OrderStatus": "orders.models.OrderStatus",
        "ShipmentStatus": "logistics.models.ShipmentStatus",
        "Source": "frozenshop.kernel.actor.Source",
        "TemperatureClass": "orders.models.TemperatureClass",
        "AlertKind": "orders.models.AlertKind",
        "EtaBasis": "logistics.eta.EtaBasis",
        "FactType": "orders.facts.FactType",
    },
}

# --- archive --------------------------------------------------------------------------------------
ARCHIVE_AFTER_DAYS = env.int("ARCHIVE_AFTER_DAYS", default=180, at_least=0)
ARCHIVE_QUIET_DAYS = env.int("ARCHIVE_QUIET_DAYS", default=14, at_least=1)
ARCHIVE_BATCH = env.int("ARCHIVE_BATCH", default=500, at_least=1, at_most=2000)
ARCHIVE_KEEP_PERSONAL_DAYS = env.int("ARCHIVE_KEEP_PERSONAL_DAYS", default=1095, at_least=0)
ARCHIVE_KEEP_TEXTS_DAYS = env.int("ARCHIVE_KEEP_TEXTS_DAYS", default=1095, at_least=0)
# Of the higher layers: each takes order numbers by id, and returns the ids of orders that it needs where they are.
ARCHIVE_KEPT_BY = (
    "frozenshop.backoffice.archive_needs.unsettled",
    "frozenshop.backoffice.archive_needs.being_told",
    "frozenshop.backoffice.archive_needs.in_batches",
)
# Of the higher layers: each takes order numbers, empties its texts about them, and returns those that had any.
ARCHIVE_TEXTS_BESIDE = ("frozenshop.backoffice.archive_texts.without_notes",)

# --- integrations: without its keys an integration is off -----------------------------------------
KDNIAO_BASE_URL = env.url("KDNIAO_BASE_URL", "https://api.kdniao.com", default="https://api.kdniao.com")
KDNIAO_BUSINESS_ID = env.str("KDNIAO_BUSINESS_ID", default="")
KDNIAO_API_KEY = env.str("KDNIAO_API_KEY", default="")
KDNIAO_QUERY_TYPE = env.str("KDNIAO_QUERY_TYPE", default="8001")
KDNIAO_DAILY_BUDGET = env.int("KDNIAO_DAILY_BUDGET", default=3000, at_least=0)
CAINIAO_BASE_URL = env.url("CAINIAO_BASE_URL", "https://link.cainiao.com", default="https://link.cainiao.com")
CAINIAO_PROVIDER_ID = env.str("CAINIAO_PROVIDER_ID", default="")
CAINIAO_APP_CODE = env.str("CAINIAO_APP_CODE", default="")
CAINIAO_SECRET = env.str("CAINIAO_SECRET", default="")
CAINIAO_QUERY_TYPE = env.str("CAINIAO_QUERY_TYPE", default="CNTECH_LV_LOGISTICS_DETAIL_GET")
CAINIAO_DIGEST = env.str("CAINIAO_DIGEST", default="base64-raw")
CAINIAO_PUSH_DIGEST = env.str("CAINIAO_PUSH_DIGEST", default="base64-raw")
CAINIAO_CALLBACK_SECRETS = env.str("CAINIAO_CALLBACK_SECRETS", default="")
CAINIAO_DAILY_BUDGET = env.int("CAINIAO_DAILY_BUDGET", default=3000, at_least=0)
SF_BASE_URL = env.url("SF_BASE_URL", "https://bspgw.sf-express.com", default="https://bspgw.sf-express.com")
SF_PARTNER_ID = env.str("SF_PARTNER_ID", default="")
SF_CHECKWORD = env.str("SF_CHECKWORD", default="")
SF_CALLBACK_SECRETS = env.str("SF_CALLBACK_SECRETS", default="")
SF_DAILY_BUDGET = env.int("SF_DAILY_BUDGET", default=3000, at_least=0)
KUAIDI100_BASE_URL = env.url("KUAIDI100_BASE_URL", "https://poll.kuaidi100.com", default="https://poll.kuaidi100.com")
KUAIDI100_CUSTOMER = env.str("KUAIDI100_CUSTOMER", default="")
KUAIDI100_KEY = env.str("KUAIDI100_KEY", default="")
KUAIDI100_CALLBACK_SALT = env.str("KUAIDI100_CALLBACK_SALT", default="")
KUAIDI100_DAILY_BUDGET = env.int("KUAIDI100_DAILY_BUDGET", default=3000, at_least=0)
WECHAT_BASE_URL = env.url("WECHAT_BASE_URL", "https://api.weixin.qq.com", default="https://api.weixin.qq.com")
WECHAT_APPID = env.str("WECHAT_APPID", default="")
WECHAT_APP_SECRET = env.str("WECHAT_APP_SECRET", default="")
WECHAT_PUSH_TOKEN = env.str("WECHAT_PUSH_TOKEN", default="")
WECHAT_PUSH_AES_KEY = env.str("WECHAT_PUSH_AES_KEY", default="")
WECHAT_PUSH_MODE = env.str("WECHAT_PUSH_MODE", default="compatible")
WECHAT_MINIPROGRAM_STATE = env.str("WECHAT_MINIPROGRAM_STATE", default="formal")
WECHAT_MCHID = env.str("WECHAT_MCHID", default="")
WECHAT_TRACE_COMPONENT = env.bool("WECHAT_TRACE_COMPONENT", default=False)
WECHAT_FOLLOW_WAYBILL = env.bool("WECHAT_FOLLOW_WAYBILL", default=False)
WECHAT_GOODS_IMAGE_URL = env.url(
    "WECHAT_GOODS_IMAGE_URL",
    "https://shop.example.com/parcel.png",
    default=f"{PUBLIC_URL}/static/backoffice/parcel.png",
)
WECHAT_OFFICIAL_APPID = env.str("WECHAT_OFFICIAL_APPID", default="")
WECHAT_OFFICIAL_APP_SECRET = env.str("WECHAT_OFFICIAL_APP_SECRET", default="")
ALIYUN_SMS_BASE_URL = env.url(
    "ALIYUN_SMS_BASE_URL", "https://dysmsapi.aliyuncs.com", default="https://dysmsapi.aliyuncs.com"
)
ALIYUN_SMS_ACCESS_KEY_ID = env.str("ALIYUN_SMS_ACCESS_KEY_ID", default="")
ALIYUN_SMS_ACCESS_KEY_SECRET = env.str("ALIYUN_SMS_ACCESS_KEY_SECRET", default="")
ALIYUN_SMS_SIGN_NAME = env.str("ALIYUN_SMS_SIGN_NAME", default="")
ALIYUN_SMS_SIGNATURE = env.str("ALIYUN_SMS_SIGNATURE", default="acs3")
ALIYUN_SMS_CODE_TEMPLATE = env.str("ALIYUN_SMS_CODE_TEMPLATE", default="")
ALIYUN_SMS_CALLBACK_SECRETS = env.str("ALIYUN_SMS_CALLBACK_SECRETS", default="")
TENCENT_SMS_BASE_URL = env.url(
    "TENCENT_SMS_BASE_URL", "https://sms.tencentcloudapi.com", default="https://sms.tencentcloudapi.com"
)
TENCENT_SMS_SECRET_ID = env.str("TENCENT_SMS_SECRET_ID", default="")
TENCENT_SMS_SECRET_KEY = env.str("TENCENT_SMS_SECRET_KEY", default="")
TENCENT_SMS_SDK_APP_ID = env.str("TENCENT_SMS_SDK_APP_ID", default="")
TENCENT_SMS_SIGN_NAME = env.str("TENCENT_SMS_SIGN_NAME", default="")
TENCENT_SMS_CODE_TEMPLATE = env.str("TENCENT_SMS_CODE_TEMPLATE", default="")
TENCENT_SMS_CODE_FIELDS = env.str("TENCENT_SMS_CODE_FIELDS", default="code")
TENCENT_SMS_CALLBACK_SECRETS = env.str("TENCENT_SMS_CALLBACK_SECRETS", default="")
WECOM_BOT_URL = env.str("WECOM_BOT_URL", default="")
EMAIL_URL = env.str("EMAIL_URL", default="")
EMAIL_FROM = env.str("EMAIL_FROM", default="")
try:
    _email = environ.Env.email_url_config(EMAIL_URL) if EMAIL_URL else {}
except (ImproperlyConfigured, ValueError):
    raise ImproperlyConfigured(
        "EMAIL_URL 无法识别，例如 smtp+ssl://账号:密码@smtp.example.com:465（@、: 等字符要写成 %40、%3A）"
    ) from None
globals().update({name: value for name, value in _email.items() if value is not None})
DEFAULT_FROM_EMAIL = EMAIL_FROM or _email.get("EMAIL_HOST_USER") or "frozenshop@localhost"
NOTICE_DAILY_CAP = env.int("NOTICE_DAILY_CAP", default=8, at_least=1)
SMS_DAILY_BUDGET = env.int("SMS_DAILY_BUDGET", default=2000, at_least=0)
SMS_CODES_DAILY_BUDGET = env.int("SMS_CODES_DAILY_BUDGET", default=1000, at_least=0)
NOTIFY_THREADS = env.int("NOTIFY_THREADS", default=1 if EMBEDDED else 8, at_least=1, at_most=64)
ALLOW_LOOPBACK_INTEGRATIONS = env.bool("ALLOW_LOOPBACK_INTEGRATIONS", default=DEBUG)

# Where the checkpoints of the audit go each minute, beside the log (docs/audit.md).
AUDIT_CHECKPOINT_DIR = env.str("AUDIT_CHECKPOINT_DIR", default="")
if AUDIT_CHECKPOINT_DIR and not Path(AUDIT_CHECKPOINT_DIR).is_absolute():
    raise refusal("AUDIT_CHECKPOINT_DIR", "不是绝对路径", "/mnt/audit-checkpoints")
AUDIT_CHECKPOINT_KEEP = env.int("AUDIT_CHECKPOINT_KEEP", default=10_080, at_least=10)
AUDIT_CHECKPOINT_URL = env.url("AUDIT_CHECKPOINT_URL", "https://auditor.example.com/checkpoints")
# An administrator's account of the database, for `install_audit_triggers` and `verify_audit` alone.
AUDIT_ADMIN_DATABASE_URL = env.url("AUDIT_ADMIN_DATABASE_URL", "mysql://admin:password@host:3306/")
AUDIT_WITNESSED = "frozenshop.witnessed.TABLES"

# What web must know of backups; deploy/backup reads the rest.
BACKUP_REPOSITORY = env.str("BACKUP_REPOSITORY", default="")
BACKUP_MAX_AGE_HOURS = env.int("BACKUP_MAX_AGE_HOURS", default=26, at_least=1)
BACKUP_BINLOG_MAX_AGE_SECONDS = env.int("BACKUP_BINLOG_MAX_AGE_SECONDS", default=300, at_least=60)

HEALTH_CHECKS = [
    "frozenshop.kernel.audit.shipping.findings",
    "frozenshop.kernel.backups.findings",
    "frozenshop.kernel.logstore.health.findings",
    "logistics.health.providers",
    "notifications.webhooks.health.failing",
    "notifications.health.webhooks",
    "notifications.health.settlement",
    "notifications.health.channels",
]
METRIC_COLLECTORS = [
    "frozenshop.kernel.replica.ReplicaCollector",
    "frozenshop.kernel.backups.BackupCollector",
    "frozenshop.kernel.logstore.metrics.SpoolCollector",
    "orders.alert_metrics.AlertCollector",
    "logistics.metrics.ProviderCollector",
    "logistics.metrics.ShipmentCollector",
    "logistics.metrics.NewsCollector",
    "notifications.metrics.SettlementCollector",
    "notifications.metrics.MessageCollector",
    "notifications.metrics.QueueCollector",
]
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
# Where worker, relay and beat show theirs; web shows its own on its own port. 0: nowhere.
METRICS_PORT = env.int("METRICS_PORT", default=0, at_least=0, at_most=65535)
METRICS_HOST = env.word("METRICS_HOST", default="127.0.0.1")
WEB_THREADS = env.int("WEB_THREADS", default=16, at_least=1)
METRICS_NETWORKS = env.networks("METRICS_NETWORKS", default=["127.0.0.0/8", "::1/128"] if DEBUG else [])

# --- history for staff, in MongoDB or the database: what providers said, calls, access, exchanges -------
MONGODB_URL = env.str("MONGODB_URL", default="")
LOG_KINDS = [kind for kind in env.list("LOG_KINDS", default=["raw", "call", "access", "exchange"]) if kind != "none"]
LOG_KEEP_DAYS = env.dict("LOG_KEEP_DAYS", default={"raw": 35, "call": 90, "access": 30, "exchange": 180})
LOG_SPOOL_MB = env.int("LOG_SPOOL_MB", default=64, at_least=1)

# --- logs -----------------------------------------------------------------------------------------
LOG_LEVEL = env.choice("LOG_LEVEL", ["DEBUG", "INFO", "WARNING", "ERROR"], default="INFO")
LOGGING = json_logging.configure(LOG_LEVEL)
# For the check that finds misspelt names.
KNOWN_SETTINGS = frozenset(env.names)
