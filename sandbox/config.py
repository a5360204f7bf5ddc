"""What the sandbox must know: which credentials to accept, and where to push."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Config:
    """Without `public_url` nothing is pushed; without `state_dir` nothing survives a restart."""

    kdniao_business_id: str
    kdniao_api_key: str
    wechat_appid: str
    wechat_app_secret: str
    sf_partner_id: str = ""
    sf_checkword: str = ""
    sf_callback_secret: str = ""
    kuaidi100_customer: str = ""
    kuaidi100_key: str = ""
    public_url: str = ""
    cainiao_provider_id: str = ""
    cainiao_app_code: str = ""
    cainiao_secret: str = ""
    cainiao_callback_secret: str = ""
    wechat_push_token: str = ""
    wechat_push_aes_key: str = ""
    wechat_mchid: str = "1900000109"
    wechat_official_appid: str = ""
    wechat_official_app_secret: str = ""
    aliyun_sms_access_key_id: str = ""
    aliyun_sms_access_key_secret: str = ""
    aliyun_sms_sign_name: str = ""
    aliyun_sms_callback_secret: str = ""
    tencent_sms_secret_id: str = ""
    tencent_sms_secret_key: str = ""
    tencent_sms_sdk_app_id: str = ""
    tencent_sms_sign_name: str = ""
    tencent_sms_callback_secret: str = ""
    wecom_bot_key: str = ""
    webhook_secret: str = ""
    port: int = 8001
    state_dir: Path | None = None
