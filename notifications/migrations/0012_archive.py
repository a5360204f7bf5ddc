"""Notices and reports of shipping outlive the order's place in the hot tables.

The former version joins the order where it needs it, and passes over what is archived.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0011_request_id"),
        ("orders", "0007_archive"),
    ]

    operations = [
        migrations.AlterField(
            model_name="notice",
            name="order",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="notices",
                to="orders.order",
                verbose_name="订单",
            ),
        ),
        migrations.AlterField(
            model_name="shippingreport",
            name="order",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="shipping_report",
                to="orders.order",
                verbose_name="订单",
            ),
        ),
    ]
