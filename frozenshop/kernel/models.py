"""Rows of the lowest layer: durable messages, schedule ledger, calendar, audit, nonces, keys."""

from django.db import models
from django.utils import timezone

from frozenshop.kernel.fields import KeyField
from frozenshop.kernel.logstore.entries import Kind


class OutboxMessage(models.Model):
    """One job that must run: written in the business transaction, closed in the transaction of its effect.

    `topic` is the Celery task's name; `payload` its keyword arguments.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "待发送"
        SENT = "sent", "已发送"
        DONE = "done", "已完成"
        DEAD = "dead", "待人工处理"

    topic = KeyField("任务", max_length=100)
    payload = models.JSONField("参数", default=dict)
    key = KeyField("去重键", max_length=150, null=True, blank=True, unique=True)
    status = KeyField("状态", max_length=10, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField("尝试次数", default=0)
    due_at = models.DateTimeField("应发时间", default=timezone.now)
    claimed_until = models.DateTimeField("占用至", null=True, blank=True)
    last_error = models.TextField("最近错误", blank=True)
    request_id = KeyField("请求编号", max_length=64, blank=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now)
    sent_at = models.DateTimeField("发出时间", null=True, blank=True)
    done_at = models.DateTimeField("完成时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "待办消息"
        indexes = [
            models.Index(fields=["status", "due_at", "id"], name="outbox_due"),
            models.Index(fields=["status", "done_at"], name="outbox_done"),
            models.Index(fields=["request_id"], name="outbox_request"),
        ]

    def __str__(self) -> str:
        return f"{self.topic}#{self.pk}"


class JobRun(models.Model):
    """The ledger of scheduled jobs: one row for each slot that took effect."""

    job = KeyField("任务", max_length=64)
    slot = models.DateTimeField("时间槽")
    recorded_at = models.DateTimeField("登记时间", default=timezone.now)
    finished_at = models.DateTimeField("完成时间", null=True, blank=True)
    detail = models.CharField("结果", max_length=200, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "定时任务记录"
        constraints = [models.UniqueConstraint(fields=["job", "slot"], name="jobrun_once_per_slot")]

    def __str__(self) -> str:
        return f"{self.job}@{self.slot:%Y-%m-%d %H:%M}"


class CalendarDay(models.Model):
    """A day that differs from its weekday's rule: a holiday, a make-up working day, or a carriers' stop."""

    class Kind(models.TextChoices):
        HOLIDAY = "holiday", "休息"
        WORKDAY = "workday", "上班（调休）"
        CARRIER_STOP = "carrier_stop", "快递停运"

    day = models.DateField("日期")
    kind = KeyField("类型", max_length=20, choices=Kind.choices)
    name = models.CharField("说明", max_length=50, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "日历例外"
        constraints = [models.UniqueConstraint(fields=["day", "kind"], name="calendar_day_once_per_kind")]

    def __str__(self) -> str:
        return f"{self.day} {self.get_kind_display()}"


class ShopCalendar(models.Model):
    """The shop's working rule (one row): which weekdays ship, and until what hour of the day."""

    ships_on_saturday = models.BooleanField("周六发货", default=True)
    ships_on_sunday = models.BooleanField("周日发货", default=False)
    cutoff_hour = models.PositiveSmallIntegerField("当日发货截单时（0-23 点）", default=16)

    class Meta:
        verbose_name = verbose_name_plural = "发货日历"

    def __str__(self) -> str:
        return f"截单 {self.cutoff_hour}:00"


class AuditEntry(models.Model):
    """An act of a person or a key. Only ever inserted."""

    at = models.DateTimeField("时间", default=timezone.now)
    actor = KeyField("操作者", max_length=150)
    action = KeyField("动作", max_length=64)
    subject = KeyField("对象", max_length=150, blank=True)
    reason = models.CharField("理由", max_length=500, blank=True)
    details = models.JSONField("详情", default=dict)
    address = KeyField("来源地址", max_length=45, blank=True)
    request_id = KeyField("请求编号", max_length=64, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "审计记录"
        indexes = [
            models.Index(fields=["subject", "at", "id"], name="audit_by_subject"),
            models.Index(fields=["actor", "at", "id"], name="audit_by_actor"),
            models.Index(fields=["action", "at", "id"], name="audit_by_action"),
            models.Index(fields=["at", "id"], name="audit_at"),
            models.Index(fields=["request_id", "at", "id"], name="audit_by_request"),
        ]
        permissions = [("export_auditentry", "可以导出审计记录")]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.subject}"


class AuditSubject(models.Model):
    """One more subject of an act on many, so that it is found from each. Made from the entry's own details."""

    audit_id = models.BigIntegerField("审计记录")
    subject = KeyField("对象", max_length=150)
    at = models.DateTimeField("时间")

    class Meta:
        verbose_name = verbose_name_plural = "审计涉及的对象"
        constraints = [models.UniqueConstraint(fields=["subject", "at", "audit_id"], name="auditsubject_once")]

    def __str__(self) -> str:
        return f"{self.subject} #{self.audit_id}"


class AuditSeal(models.Model):
    """One link of the chain: the digest covers the former seal's digest and the entry's content."""

    position = models.BigIntegerField(unique=True)
    audit_id = models.BigIntegerField(unique=True)
    digest = KeyField(max_length=64)
    sealed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "审计封印"

    def __str__(self) -> str:
        return f"{self.position}:{self.digest[:8]}"


class Nonce(models.Model):
    """A nonce used while Redis was away; one row per (scope, nonce)."""

    scope = KeyField(max_length=80)
    nonce = KeyField(max_length=64)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "nonce"], name="nonce_once")]

    def __str__(self) -> str:
        return f"{self.scope}:{self.nonce}"


class Lease(models.Model):
    """Who may do a thing that only one process may do at a time, and until when."""

    name = KeyField(max_length=64, unique=True)
    holder = KeyField(max_length=64)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} → {self.holder}"


class Heartbeat(models.Model):
    """One row, written about each second where there is a replica: how old it is there is what the replica lacks."""

    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S.%f}"


class LogEntry(models.Model):
    """A log of what came or went, where no MongoDB keeps it (`frozenshop.kernel.logstore.Entry`)."""

    id = KeyField(max_length=24, primary_key=True)
    kind = KeyField("类别", max_length=10, choices=Kind.choices)
    at = models.DateTimeField("时间")
    request_id = KeyField("请求编号", max_length=64, blank=True)
    service = KeyField("服务", max_length=40)
    what = models.CharField("内容", max_length=200)
    outcome = KeyField("结果", max_length=60)
    failed = models.BooleanField("失败", default=False)
    ms = models.PositiveIntegerField("耗时（毫秒）", null=True, blank=True)
    subject = KeyField("对象", max_length=120, blank=True)
    who = KeyField("谁", max_length=150, blank=True)
    address = KeyField("来源网段", max_length=45, blank=True)
    reference = KeyField("编号", max_length=100, blank=True)
    detail = models.CharField("说明", max_length=300, blank=True)
    body = models.TextField("原文（密封）", blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "日志"
        indexes = [
            models.Index(fields=["kind", "id"], name="log_kind"),
            models.Index(fields=["request_id", "id"], name="log_request"),
            models.Index(fields=["subject", "id"], name="log_subject"),
            models.Index(fields=["service", "id"], name="log_service"),
            models.Index(fields=["failed", "id"], name="log_failed"),
            models.Index(fields=["who", "id"], name="log_who"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.service} {self.what}"


class MerchantKey(models.Model):
    """A key of a shop system for the merchant API; two secrets may live at once during rotation."""

    key_id = KeyField("Key ID", max_length=40, unique=True)
    name = models.CharField("用途", max_length=80)
    secret_sealed = models.TextField("密钥（密封）")
    previous_secret_sealed = models.TextField("旧密钥（密封）", blank=True)
    previous_expires_at = models.DateTimeField("旧密钥失效时间", null=True, blank=True)
    scopes = models.JSONField("权限范围", default=list)
    active = models.BooleanField("启用", default=True)
    created_at = models.DateTimeField("创建时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "商户密钥"

    def __str__(self) -> str:
        return f"{self.key_id}（{self.name}）"


class IdempotencyKey(models.Model):
    """What a write with an `Idempotency-Key` answered; `response_status` is null while it is under way."""

    scope = KeyField(max_length=60)
    key = KeyField(max_length=255)
    fingerprint = KeyField(max_length=64)
    response_status = models.PositiveSmallIntegerField(null=True)
    response_body = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="idempotency_once")]

    def __str__(self) -> str:
        return f"{self.scope}:{self.key}"
