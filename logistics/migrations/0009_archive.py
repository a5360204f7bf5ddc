"""The archive. The former version knows nothing of it; no order is in it before the first run of its job."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import frozenshop.kernel.fields


class Migration(migrations.Migration):
    dependencies = [
        ("logistics", "0008_found_parcels"),
    ]

    operations = [
        migrations.CreateModel(
            name="ArchiveMonth",
            fields=[
                (
                    "month",
                    frozenshop.kernel.fields.KeyField(
                        max_length=7, primary_key=True, serialize=False, verbose_name="月份"
                    ),
                ),
                ("orders", models.BigIntegerField(default=0, verbose_name="订单")),
                ("rows", models.BigIntegerField(default=0, verbose_name="行数")),
                ("bytes", models.BigIntegerField(default=0, verbose_name="字节")),
                ("erased", models.BigIntegerField(default=0, verbose_name="已清除个人信息")),
            ],
            options={
                "verbose_name": "归档月份",
                "verbose_name_plural": "归档月份",
            },
        ),
        migrations.CreateModel(
            name="Restoration",
            fields=[
                ("order_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("restored_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="恢复时间")),
                ("restored_by", frozenshop.kernel.fields.KeyField(max_length=150, verbose_name="操作者")),
                ("reason", models.CharField(blank=True, max_length=500, verbose_name="原因")),
            ],
            options={
                "verbose_name": "归档恢复",
                "verbose_name_plural": "归档恢复",
            },
        ),
        migrations.CreateModel(
            name="ArchivedOrder",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("order_no", frozenshop.kernel.fields.KeyField(max_length=64, unique=True, verbose_name="订单号")),
                ("bundle", models.BigIntegerField(db_index=True)),
                ("month", frozenshop.kernel.fields.KeyField(max_length=7, verbose_name="月份")),
                ("customer_id", models.BigIntegerField(db_index=True, null=True, verbose_name="买家")),
                (
                    "status",
                    frozenshop.kernel.fields.KeyField(
                        choices=[
                            ("placed", "已下单"),
                            ("paid", "已付款"),
                            ("shipped", "已发货"),
                            ("in_transit", "运输中"),
                            ("delivered", "已签收"),
                            ("cancelled", "已取消"),
                            ("refunded", "已退款"),
                            ("returned", "已退回"),
                        ],
                        max_length=12,
                        verbose_name="状态",
                    ),
                ),
                ("placed_at", models.DateTimeField(verbose_name="下单时间")),
                ("updated_at", models.DateTimeField(verbose_name="更新时间")),
                ("version", models.PositiveIntegerField(verbose_name="版本")),
                ("total_fen", models.BigIntegerField(null=True, verbose_name="总金额（分）")),
                ("lines_summary", models.CharField(blank=True, max_length=200, verbose_name="商品概要")),
                ("province", models.CharField(blank=True, max_length=40, verbose_name="省")),
                ("city", models.CharField(blank=True, max_length=40, verbose_name="市")),
                ("district", models.CharField(blank=True, max_length=40, verbose_name="区")),
                (
                    "phone_index",
                    frozenshop.kernel.fields.KeyField(blank=True, max_length=64, verbose_name="手机号索引"),
                ),
                ("name_index", frozenshop.kernel.fields.KeyField(blank=True, max_length=64, verbose_name="姓名索引")),
                ("tail_index", frozenshop.kernel.fields.KeyField(blank=True, max_length=64, verbose_name="尾号索引")),
                ("consignee_sealed", models.TextField(blank=True, verbose_name="收件人（密封）")),
                ("note_sealed", models.TextField(blank=True, verbose_name="备注（密封）")),
                ("rows", models.PositiveIntegerField(verbose_name="行数")),
                ("checksum", frozenshop.kernel.fields.KeyField(max_length=64, verbose_name="校验和")),
                (
                    "place",
                    frozenshop.kernel.fields.KeyField(
                        choices=[("database", "数据库"), ("mongodb", "MongoDB")], max_length=10, verbose_name="存放处"
                    ),
                ),
                ("body", models.BinaryField(null=True, verbose_name="内容")),
                ("archived_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="归档时间")),
                ("erased_at", models.DateTimeField(null=True, verbose_name="个人信息清除时间")),
            ],
            options={
                "verbose_name": "归档订单",
                "verbose_name_plural": "归档订单",
                "permissions": [("restore_archivedorder", "可以把归档订单恢复")],
                "indexes": [
                    models.Index(fields=["placed_at", "id"], name="archived_placed"),
                    models.Index(fields=["phone_index", "placed_at", "id"], name="archived_phone"),
                    models.Index(fields=["name_index", "placed_at", "id"], name="archived_name"),
                    models.Index(fields=["tail_index", "placed_at", "id"], name="archived_tail"),
                    models.Index(fields=["city", "placed_at", "id"], name="archived_city"),
                    models.Index(fields=["erased_at", "placed_at", "id"], name="archived_personal"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ArchivedWaybill",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("shipment_id", models.BigIntegerField()),
                ("waybill_no", frozenshop.kernel.fields.KeyField(max_length=64, verbose_name="运单号")),
                (
                    "waybill_reversed",
                    frozenshop.kernel.fields.ReversedField(
                        blank=True,
                        db_default="",
                        default="",
                        editable=False,
                        max_length=64,
                        of="waybill_no",
                        verbose_name="运单号（倒序）",
                    ),
                ),
                (
                    "status",
                    frozenshop.kernel.fields.KeyField(
                        choices=[
                            ("no_trace", "暂无轨迹"),
                            ("picked_up", "已揽收"),
                            ("in_transit", "运输中"),
                            ("out_for_delivery", "派送中"),
                            ("awaiting_pickup", "待取件"),
                            ("delivered", "已签收"),
                            ("delivery_failed", "派送未成功"),
                            ("exception", "问题件"),
                            ("returning", "退回中"),
                            ("returned", "已退回"),
                            ("forwarded", "已转寄"),
                            ("customs", "清关中"),
                            ("cancelled", "已取消"),
                            ("unknown", "状态未知"),
                        ],
                        max_length=20,
                        verbose_name="物流状态",
                    ),
                ),
                ("location", models.CharField(blank=True, max_length=100, verbose_name="当前位置")),
                ("shipped_at", models.DateTimeField(verbose_name="发货时间")),
                ("voided", models.BooleanField(default=False, verbose_name="已作废")),
                (
                    "carrier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="logistics.carrier",
                        verbose_name="承运商",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="waybills",
                        to="logistics.archivedorder",
                    ),
                ),
            ],
            options={
                "verbose_name": "归档运单",
                "verbose_name_plural": "归档运单",
                "indexes": [
                    models.Index(fields=["waybill_no"], name="archived_waybill"),
                    models.Index(fields=["waybill_reversed"], name="archived_waybill_end"),
                    models.Index(fields=["shipment_id"], name="archived_waybill_shipment"),
                ],
                "constraints": [models.UniqueConstraint(fields=("order", "shipment_id"), name="archived_waybill_once")],
            },
        ),
    ]
