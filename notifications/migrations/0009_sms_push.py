"""What SMS services report is kept as it came, before anything is made of it."""

import django.utils.timezone
from django.db import migrations, models

import frozenshop.kernel.fields


class Migration(migrations.Migration):
    dependencies = [("notifications", "0008_settlement_figures")]

    operations = [
        migrations.CreateModel(
            name="SmsPush",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("service", frozenshop.kernel.fields.KeyField(max_length=12, verbose_name="服务商")),
                ("digest", frozenshop.kernel.fields.KeyField(max_length=64, verbose_name="摘要")),
                ("body_sealed", models.TextField(verbose_name="内容（密封）")),
                (
                    "outcome",
                    frozenshop.kernel.fields.KeyField(
                        choices=[("received", "待处理"), ("applied", "已处理"), ("unreadable", "无法解析")],
                        default="received",
                        max_length=12,
                        verbose_name="结果",
                    ),
                ),
                ("detail", models.CharField(blank=True, max_length=300, verbose_name="说明")),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="收到时间")),
                ("applied_at", models.DateTimeField(blank=True, null=True, verbose_name="处理时间")),
            ],
            options={
                "verbose_name": "短信回执",
                "verbose_name_plural": "短信回执",
                "indexes": [models.Index(fields=["received_at", "id"], name="sms_push_time")],
                "constraints": [models.UniqueConstraint(fields=("service", "digest"), name="sms_push_once")],
            },
        ),
    ]
