"""What staff write down about an order. Kept by order number, so that it outlives the order's place in hot tables."""

from django.db import models
from django.utils import timezone

from frozenshop.backoffice.batches.models import Batch, BatchFile, BatchFilePiece, BatchRow
from frozenshop.backoffice.dashboard.models import Figure, FigureDay, FigureMark
from frozenshop.backoffice.finding.models import ListColumns, RecentSearch, SavedView
from frozenshop.backoffice.signin.models import Authenticator, RecoveryCode, SignInAttempts, StaffSession
from frozenshop.kernel.fields import KeyField

__all__ = [
    "Authenticator",
    "Batch",
    "BatchFile",
    "BatchFilePiece",
    "BatchRow",
    "Figure",
    "FigureDay",
    "FigureMark",
    "ListColumns",
    "OrderNote",
    "RecentSearch",
    "RecoveryCode",
    "SavedView",
    "SignInAttempts",
    "StaffSession",
]


class OrderNote(models.Model):
    order_no = KeyField("订单号", max_length=64)
    author = KeyField("填写人", max_length=150)
    text = models.CharField("内容", max_length=500)
    written_at = models.DateTimeField("时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "订单备注"
        indexes = [models.Index(fields=["order_no", "id"], name="order_note_order")]

    def __str__(self) -> str:
        return self.text[:40]
