"""What buyers don't want to be told, and what staff do."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from frozenshop.kernel.fields import KeyField
from orders.models import Customer


class OptOut(models.Model):
    """What a buyer doesn't want to be told. `topic`: a milestone, or `sms` for the channel."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="opt_outs", verbose_name="买家")
    topic = KeyField("内容", max_length=32)
    created_at = models.DateTimeField("时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "退订"
        constraints = [models.UniqueConstraint(fields=["customer", "topic"], name="opt_out_once")]

    def __str__(self) -> str:
        return self.topic


class StaffContact(models.Model):
    """Where one member of staff is told, and of which alerts."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="contact", verbose_name="员工")
    email = models.EmailField("邮箱", blank=True)
    least_severity = KeyField("最低级别", max_length=10, default="2high")
    digest = models.BooleanField("每日汇总", default=True)

    class Meta:
        verbose_name = verbose_name_plural = "员工通知设置"

    def __str__(self) -> str:
        return f"员工 {self.user_id}"
