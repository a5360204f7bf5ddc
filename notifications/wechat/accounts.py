"""The merchant's two accounts with WeChat: the mini-program, and the official account that buyers may follow."""

from dataclasses import dataclass, field

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Account:
    appid: str
    secret: str = field(repr=False)

    @property
    def configured(self) -> bool:
        return bool(self.appid and self.secret)


def mini_program() -> Account:
    return Account(settings.WECHAT_APPID, settings.WECHAT_APP_SECRET)


def official() -> Account:
    return Account(settings.WECHAT_OFFICIAL_APPID, settings.WECHAT_OFFICIAL_APP_SECRET)
