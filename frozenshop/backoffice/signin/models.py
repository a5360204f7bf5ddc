"""What is kept of staff's signing in: their second factors, recovery codes, sessions, and failures counted."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from frozenshop.kernel.fields import KeyField

STAFF = settings.AUTH_USER_MODEL


class Authenticator(models.Model):
    """One second factor of one person. `last_step` is the TOTP step or the passkey's counter used last."""

    class Kind(models.TextChoices):
        TOTP = "totp", "验证器应用"
        PASSKEY = "passkey", "安全密钥 / 通行密钥"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name="员工", related_name="authenticators"
    )
    kind = KeyField("种类", max_length=10, choices=Kind.choices)
    name = models.CharField("名称", max_length=60)
    secret_sealed = models.TextField("密钥")
    credential_id = models.TextField("凭据编号", blank=True)
    credential_hash = KeyField("凭据摘要", max_length=64, null=True, unique=True)
    last_step = models.BigIntegerField("上次使用的步", default=0)
    added_at = models.DateTimeField("添加时间", default=timezone.now)
    used_at = models.DateTimeField("上次使用", null=True)

    class Meta:
        verbose_name = verbose_name_plural = "二次验证方式"
        default_permissions = ()
        permissions = [("reset_authenticator", "重置他人的二次验证")]

    def __str__(self) -> str:
        return self.name


class RecoveryCode(models.Model):
    """One way back in for who has lost the second factor; used once."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name="员工", related_name="recovery_codes"
    )
    code_hash = KeyField("摘要", max_length=64)
    used_at = models.DateTimeField("使用时间", null=True)

    class Meta:
        verbose_name = verbose_name_plural = "恢复码"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["user", "code_hash"], name="recovery_code_once")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class StaffSession(models.Model):
    """One signing-in, beside Django's session of the same key, so that a person can see and end their own."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name="员工", related_name="staff_sessions"
    )
    session_key = KeyField("会话", max_length=40, unique=True)
    started_at = models.DateTimeField("登录时间", default=timezone.now)
    seen_at = models.DateTimeField("最近使用", default=timezone.now)
    address = models.CharField("地址", max_length=45, blank=True)
    agent = models.CharField("浏览器", max_length=200, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "登录会话"
        default_permissions = ()
        indexes = [models.Index(fields=["seen_at"], name="staff_session_seen")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class SignInAttempts(models.Model):
    """Failures counted in one scope since an instant. What was typed as a name is not kept: it may be a password."""

    class Kind(models.TextChoices):
        ACCOUNT = "account", "账号 + 地址"
        DEVICE = "device", "账号 + 常用浏览器"
        ADDRESS = "address", "地址"
        FACTOR = "factor", "二次验证"

    kind = KeyField("范围", max_length=10, choices=Kind.choices)
    scope = KeyField("摘要", max_length=64, unique=True)
    account = models.CharField("账号", max_length=150, blank=True)
    address = models.CharField("地址", max_length=45, blank=True)
    count = models.PositiveIntegerField("次数", default=1)
    since = models.DateTimeField("起算时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "登录失败计数"
        default_permissions = ("view", "delete")
        indexes = [models.Index(fields=["since", "id"], name="sign_in_attempts_since")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.account or self.address}"
