"""Archived orders are found by product, and two indexes that nothing reads go.

The former version has no archive; what was archived by no release has no products until it comes back and goes again.
"""

import django.db.models.deletion
from django.db import migrations, models

import frozenshop.kernel.fields


class Migration(migrations.Migration):
    dependencies = [
        ("logistics", "0011_found_by_carrier"),
    ]

    operations = [
        migrations.CreateModel(
            name="ArchivedProduct",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "sku", "order_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("sku", frozenshop.kernel.fields.KeyField(max_length=64, verbose_name="商品编码")),
                ("order_id", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "归档商品",
                "verbose_name_plural": "归档商品",
            },
        ),
        migrations.RemoveIndex(
            model_name="archivedwaybill",
            name="archived_waybill_shipment",
        ),
        migrations.AlterField(
            model_name="archivedwaybill",
            name="order",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="waybills",
                to="logistics.archivedorder",
            ),
        ),
    ]
