"""Whom WeChat knows as our buyer, what they consented to, and what WeChat pushed."""

from django.db import models
from django.utils import timezone

from frozenshop.kernel import request_id
from frozenshop.kernel.fields import KeyField
from orders.models import Customer


class Consent(models.Model):
    """How many messages of one template a buyer still allows; only `ConsentEntry` rows change it."""

    openid = KeyField("openid", max_length=64)
    template_id = KeyField("模板编号", max_length=80)
    balance = models.PositiveIntegerField("余量", default=0)
    updated_at = models.DateTimeField("更新时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "订阅授权"
        constraints = [models.UniqueConstraint(fields=["openid", "template_id"], name="consent_once")]

    def __str__(self) -> str:
        return f"{self.template_id}×{self.balance}"


class ConsentEntry(models.Model):
    """One change of a consent. `key` makes it count once, however often it is told."""

    consent = models.ForeignKey(Consent, models.CASCADE, related_name="entries")
    key = KeyField(max_length=150, unique=True)
    change = models.SmallIntegerField("变化")
    cause = KeyField("原因", max_length=30)
    recorded_at = models.DateTimeField("记录时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "授权流水"

    def __str__(self) -> str:
        return f"{self.cause} {self.change:+d}"


class OfficialFollower(models.Model):
    """A follower of the 公众号 whose unionid is a buyer's."""

    unionid = KeyField(max_length=64, unique=True)
    openid = KeyField("公众号 openid", max_length=64)
    following = models.BooleanField("关注中", default=True)
    updated_at = models.DateTimeField("更新时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "公众号粉丝"

    def __str__(self) -> str:
        return f"粉丝 {self.pk}"


class Unionid(models.Model):
    """The identity that joins a buyer's mini-program account with others of the merchant."""

    customer = models.OneToOneField(Customer, models.CASCADE, related_name="unionid", verbose_name="买家")
    unionid = KeyField(max_length=64, unique=True)

    class Meta:
        verbose_name = verbose_name_plural = "unionid"

    def __str__(self) -> str:
        return f"买家 {self.customer_id}"


class WechatEvent(models.Model):
    """What WeChat pushed, kept before it was answered. `key` makes a repeat the same row; the body is sealed."""

    key = KeyField(max_length=64, unique=True)
    event = KeyField("事件", max_length=60)
    body_sealed = models.TextField("内容（密封）")
    received_at = models.DateTimeField("收到时间", default=timezone.now)
    handled_at = models.DateTimeField("处理时间", null=True, blank=True)
    detail = models.CharField("说明", max_length=300, blank=True)
    request_id = KeyField("请求编号", max_length=64, blank=True, default=request_id.current, db_default="")

    class Meta:
        verbose_name = verbose_name_plural = "微信推送"
        indexes = [
            models.Index(fields=["received_at", "id"], name="wechat_event_time"),
            models.Index(fields=["request_id"], name="wechat_event_request"),
        ]

    def __str__(self) -> str:
        return f"{self.event} #{self.pk}"
