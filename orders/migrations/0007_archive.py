"""Who may see an order outlives its place in the hot tables; legal holds.

The former version joins the order and so passes over what is archived; it knows nothing of holds, and erases nothing by
itself.
"""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import frozenshop.kernel.fields


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0006_found_by_city_or_product"),
    ]

    operations = [
        migrations.AlterField(
            model_name="orderaccess",
            name="order",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="accesses",
                to="orders.order",
            ),
        ),
        migrations.CreateModel(
            name="LegalHold",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", frozenshop.kernel.fields.KeyField(max_length=32, unique=True)),
                (
                    "about",
                    frozenshop.kernel.fields.KeyField(
                        choices=[("order", "订单"), ("person", "个人")], max_length=10, verbose_name="对象"
                    ),
                ),
                ("order_no", frozenshop.kernel.fields.KeyField(blank=True, max_length=64, verbose_name="订单号")),
                (
                    "phone_index",
                    frozenshop.kernel.fields.KeyField(blank=True, max_length=64, verbose_name="手机号索引"),
                ),
                ("phone_sealed", models.TextField(blank=True, verbose_name="手机号（密封）")),
                ("reason", models.CharField(max_length=500, verbose_name="依据")),
                ("placed_by", frozenshop.kernel.fields.KeyField(max_length=150, verbose_name="设定者")),
                ("placed_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="设定时间")),
                ("released_by", frozenshop.kernel.fields.KeyField(blank=True, max_length=150, verbose_name="解除者")),
                ("released_at", models.DateTimeField(blank=True, null=True, verbose_name="解除时间")),
                ("release_reason", models.CharField(blank=True, max_length=500, verbose_name="解除依据")),
            ],
            options={
                "verbose_name": "法律保留",
                "verbose_name_plural": "法律保留",
                "indexes": [models.Index(fields=["released_at", "id"], name="legal_hold_standing")],
            },
        ),
    ]
