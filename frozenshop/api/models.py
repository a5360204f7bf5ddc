"""Sessions of buyers."""

from django.db import models
from django.utils import timezone

from frozenshop.kernel.fields import KeyField
from orders.models import Customer


class BuyerSession(models.Model):
    """A buyer's login: the token's digest, and the sealed secret with which its requests are signed."""

    token_digest = KeyField(max_length=64, unique=True)
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="sessions")
    secret_sealed = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "买家会话"

    def __str__(self) -> str:
        return f"会话 {self.pk}"
