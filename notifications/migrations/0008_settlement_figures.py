"""A few rows say how much money is held back, so that no scrape counts all reports."""

from django.db import migrations, models

import frozenshop.kernel.fields


class Migration(migrations.Migration):
    dependencies = [("notifications", "0007_special_order")]

    operations = [
        migrations.CreateModel(
            name="SettlementFigure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reason", frozenshop.kernel.fields.KeyField(max_length=20, verbose_name="原因")),
                ("age", frozenshop.kernel.fields.KeyField(max_length=10, verbose_name="付款后")),
                ("orders", models.PositiveIntegerField(default=0, verbose_name="订单")),
                ("fen", models.BigIntegerField(default=0, verbose_name="金额（分）")),
                ("failing", models.PositiveIntegerField(default=0, verbose_name="多次没有报成")),
                ("oldest_at", models.DateTimeField(blank=True, null=True, verbose_name="最早付款")),
                ("measured_at", models.DateTimeField(verbose_name="统计时间")),
            ],
            options={
                "verbose_name": "未结算统计",
                "verbose_name_plural": "未结算统计",
                "constraints": [models.UniqueConstraint(fields=("reason", "age"), name="settlement_figure_once")],
            },
        ),
    ]
