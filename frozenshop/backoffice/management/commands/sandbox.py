"""Serve the stand-ins of the outside services on SANDBOX_PORT, loopback only."""

import contextlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from frozenshop.backoffice.demo import credentials
from frozenshop.kernel import callback_secrets


class Command(BaseCommand):
    help = "启动沙箱：外部服务的替身（只监听本机）"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="同时让演示店铺自己下单、付款、发货")

    def handle(self, *args: Any, demo: bool, **options: Any) -> None:
        try:
            from sandbox import server, shop
            from sandbox.config import Config
        except ModuleNotFoundError as missing:
            raise CommandError(f"这里没有安装沙箱（缺少 {missing.name}）；它不在生产镜像里。") from None
        config = Config(
            kdniao_business_id=settings.KDNIAO_BUSINESS_ID,
            kdniao_api_key=settings.KDNIAO_API_KEY,
            kuaidi100_customer=settings.KUAIDI100_CUSTOMER,
            kuaidi100_key=settings.KUAIDI100_KEY,
            wechat_appid=settings.WECHAT_APPID,
            wechat_app_secret=settings.WECHAT_APP_SECRET,
            wechat_push_token=settings.WECHAT_PUSH_TOKEN,
            wechat_push_aes_key=settings.WECHAT_PUSH_AES_KEY,
            wechat_mchid=settings.WECHAT_MCHID,
            wechat_official_appid=settings.WECHAT_OFFICIAL_APPID,
            wechat_official_app_secret=settings.WECHAT_OFFICIAL_APP_SECRET,
            sf_partner_id=settings.SF_PARTNER_ID,
            sf_checkword=settings.SF_CHECKWORD,
            sf_callback_secret=next(iter(callback_secrets.listed("SF_CALLBACK_SECRETS")), ""),
            cainiao_provider_id=settings.CAINIAO_PROVIDER_ID,
            cainiao_app_code=settings.CAINIAO_APP_CODE,
            cainiao_secret=settings.CAINIAO_SECRET.split(",")[0].strip(),
            cainiao_callback_secret=next(iter(callback_secrets.listed("CAINIAO_CALLBACK_SECRETS")), ""),
            aliyun_sms_access_key_id=settings.ALIYUN_SMS_ACCESS_KEY_ID,
            aliyun_sms_access_key_secret=settings.ALIYUN_SMS_ACCESS_KEY_SECRET,
            aliyun_sms_sign_name=settings.ALIYUN_SMS_SIGN_NAME,
            aliyun_sms_callback_secret=next(iter(callback_secrets.listed("ALIYUN_SMS_CALLBACK_SECRETS")), ""),
            tencent_sms_secret_id=settings.TENCENT_SMS_SECRET_ID,
            tencent_sms_secret_key=settings.TENCENT_SMS_SECRET_KEY,
            tencent_sms_sdk_app_id=settings.TENCENT_SMS_SDK_APP_ID,
            tencent_sms_sign_name=settings.TENCENT_SMS_SIGN_NAME,
            tencent_sms_callback_secret=next(iter(callback_secrets.listed("TENCENT_SMS_CALLBACK_SECRETS")), ""),
            wecom_bot_key=parse_qs(urlsplit(settings.WECOM_BOT_URL).query).get("key", [""])[0],
            webhook_secret=credentials.known().get("webhook", {}).get("secret", ""),
            public_url=settings.PUBLIC_URL,
            port=settings.SANDBOX_PORT,
            state_dir=settings.VAR_DIR,
        )
        self.stdout.write(f"沙箱：http://127.0.0.1:{config.port}/_sim/")
        self.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            server.run(config, *([shop.open_shop] if demo else []))
