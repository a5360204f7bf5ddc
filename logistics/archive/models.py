"""The archive's own rows. Keys stand under the names that they have on an order, so that a search asks both alike."""

from django.db import models
from django.utils import timezone

from frozenshop.kernel import crypto
from frozenshop.kernel.fields import KeyField, ReversedField
from logistics.models import Carrier, ShipmentStatus
from orders.consignee import Consignee
from orders.models import OrderStatus


class ArchivedOrder(models.Model):
    """One finished order. `id` is the order's own; what else was known of it lies in the body (`archive.bodies`).

    Orders that share a box have one `bundle`, the smallest of their ids: they come and go together. `month` (of placing
    in Shanghai) is there to shard by. `checksum` is of the body as packed; `body` is empty where it lies elsewhere
    (`place`). The consignee and the note stay out of the body: their term is another one.
    """

    class Place(models.TextChoices):
        DATABASE = "database", "数据库"
        MONGODB = "mongodb", "MongoDB"

    id = models.BigIntegerField(primary_key=True)
    order_no = KeyField("订单号", max_length=64, unique=True)
    bundle = models.BigIntegerField(db_index=True)
    month = KeyField("月份", max_length=7)
    customer_id = models.BigIntegerField("买家", null=True, db_index=True)
    status = KeyField("状态", max_length=12, choices=OrderStatus.choices)
    placed_at = models.DateTimeField("下单时间")
    updated_at = models.DateTimeField("更新时间")
    version = models.PositiveIntegerField("版本")
    total_fen = models.BigIntegerField("总金额（分）", null=True)
    lines_summary = models.CharField("商品概要", max_length=200, blank=True)
    province = models.CharField("省", max_length=40, blank=True)
    city = models.CharField("市", max_length=40, blank=True)
    district = models.CharField("区", max_length=40, blank=True)
    phone_index = KeyField("手机号索引", max_length=64, blank=True)
    name_index = KeyField("姓名索引", max_length=64, blank=True)
    tail_index = KeyField("尾号索引", max_length=64, blank=True)
    consignee_sealed = models.TextField("收件人（密封）", blank=True)
    note_sealed = models.TextField("备注（密封）", blank=True)
    rows = models.PositiveIntegerField("行数")
    checksum = KeyField("校验和", max_length=64)
    place = KeyField("存放处", max_length=10, choices=Place.choices)
    body = models.BinaryField("内容", null=True)
    archived_at = models.DateTimeField("归档时间", default=timezone.now)
    erased_at = models.DateTimeField("个人信息清除时间", null=True)
    texts_erased_at = models.DateTimeField("文字清除时间", null=True)

    class Meta:
        verbose_name = verbose_name_plural = "归档订单"
        permissions = [("restore_archivedorder", "可以把归档订单恢复")]
        indexes = [
            models.Index(fields=["placed_at", "id"], name="archived_placed"),
            models.Index(fields=["phone_index", "placed_at", "id"], name="archived_phone"),
            models.Index(fields=["name_index", "placed_at", "id"], name="archived_name"),
            models.Index(fields=["tail_index", "placed_at", "id"], name="archived_tail"),
            models.Index(fields=["city", "placed_at", "id"], name="archived_city"),
            models.Index(fields=["erased_at", "placed_at", "id"], name="archived_personal"),
            models.Index(fields=["texts_erased_at", "placed_at", "id"], name="archived_texts"),
        ]

    def __str__(self) -> str:
        return self.order_no

    def open_consignee(self) -> Consignee:
        """Return the consignee in full. Raises SealBroken, also where it was erased."""
        return Consignee.open(self.consignee_sealed, self.order_no)

    def open_note(self) -> str:
        """Return the buyer's note. Raises SealBroken."""
        return crypto.open_sealed(self.note_sealed, purpose=note_purpose(self.order_no)) if self.note_sealed else ""


def note_purpose(order_no: str) -> str:
    return f"note:{order_no}"


class ArchivedWaybill(models.Model):
    """A waybill and an archived order that travelled under it: what a search and a list ask for."""

    # Found by the unique key, which begins with it: an index of its own would be written for nothing.
    order = models.ForeignKey(
        ArchivedOrder, models.CASCADE, related_name="waybills", db_constraint=False, db_index=False
    )
    shipment_id = models.BigIntegerField()
    carrier = models.ForeignKey(Carrier, models.PROTECT, verbose_name="承运商", related_name="+")
    waybill_no = KeyField("运单号", max_length=64)
    waybill_reversed = ReversedField("运单号（倒序）", max_length=64, of="waybill_no")
    status = KeyField("物流状态", max_length=20, choices=ShipmentStatus.choices)
    location = models.CharField("当前位置", max_length=100, blank=True)
    shipped_at = models.DateTimeField("发货时间")
    voided = models.BooleanField("已作废", default=False)

    class Meta:
        verbose_name = verbose_name_plural = "归档运单"
        constraints = [models.UniqueConstraint(fields=["order", "shipment_id"], name="archived_waybill_once")]
        indexes = [
            models.Index(fields=["waybill_no"], name="archived_waybill"),
            models.Index(fields=["waybill_reversed"], name="archived_waybill_end"),
        ]

    def __str__(self) -> str:
        return self.waybill_no


class ArchivedProduct(models.Model):
    """A product that an archived order holds: what a search by product asks for. The table is its own index."""

    pk = models.CompositePrimaryKey("sku", "order_id")
    sku = KeyField("商品编码", max_length=64)
    order_id = models.BigIntegerField()

    class Meta:
        verbose_name = verbose_name_plural = "归档商品"

    def __str__(self) -> str:
        return self.sku


class ArchiveMonth(models.Model):
    """What of one month's orders lies in the archive, counted in the transactions that move them."""

    month = KeyField("月份", max_length=7, primary_key=True)
    orders = models.BigIntegerField("订单", default=0)
    rows = models.BigIntegerField("行数", default=0)
    bytes = models.BigIntegerField("字节", default=0)
    erased = models.BigIntegerField("已清除个人信息", default=0)

    class Meta:
        verbose_name = verbose_name_plural = "归档月份"

    def __str__(self) -> str:
        return self.month


class Restoration(models.Model):
    """An order that came back out of the archive: the job leaves it alone for a while."""

    order_id = models.BigIntegerField(primary_key=True)
    restored_at = models.DateTimeField("恢复时间", default=timezone.now)
    restored_by = KeyField("操作者", max_length=150)
    reason = models.CharField("原因", max_length=500, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "归档恢复"

    def __str__(self) -> str:
        return f"{self.order_id}"

    @classmethod
    def newest(cls) -> "models.QuerySet[Restoration]":
        return Restoration.objects.order_by("-restored_at", "-order_id")
