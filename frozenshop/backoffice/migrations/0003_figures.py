"""Figures of the index page, counted beforehand, in tables of their own that the former release doesn't know."""

import frozenshop.kernel.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("backoffice", "0002_batches")]

    operations = [
        migrations.CreateModel(
            name="FigureMark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", frozenshop.kernel.fields.KeyField(max_length=40, unique=True, verbose_name="名称")),
                ("after_id", models.BigIntegerField(default=0, verbose_name="读到")),
                ("at", models.DateTimeField(blank=True, null=True, verbose_name="统计时间")),
            ],
            options={
                "verbose_name": "统计进度",
                "default_permissions": (),
                "verbose_name_plural": "统计进度",
            },
        ),
        migrations.CreateModel(
            name="Figure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    frozenshop.kernel.fields.KeyField(
                        choices=[
                            ("steps", "订单各步"),
                            ("passages", "签收"),
                            ("week", "每周签收"),
                            ("arriving", "今天预计送达"),
                            ("stale", "停滞"),
                            ("untold", "未告知的消息"),
                            ("frozen", "货款冻结"),
                        ],
                        max_length=10,
                        verbose_name="种类",
                    ),
                ),
                ("day", models.DateField(verbose_name="日期")),
                (
                    "dimension",
                    frozenshop.kernel.fields.KeyField(
                        choices=[
                            ("all", "全部"),
                            ("status", "状态"),
                            ("carrier", "承运商"),
                            ("lane", "线路"),
                            ("place", "地点"),
                            ("why", "原因"),
                            ("origin", "始发地"),
                            ("destination", "目的地"),
                        ],
                        max_length=12,
                        verbose_name="维度",
                    ),
                ),
                ("key", frozenshop.kernel.fields.KeyField(blank=True, max_length=64, verbose_name="取值")),
                ("count", models.PositiveIntegerField(default=0, verbose_name="数量")),
                ("promised", models.PositiveIntegerField(default=0, verbose_name="有承诺")),
                ("kept", models.PositiveIntegerField(default=0, verbose_name="守时")),
                ("hours", models.JSONField(default=dict, verbose_name="用时")),
            ],
            options={
                "verbose_name": "统计",
                "default_permissions": (),
                "verbose_name_plural": "统计",
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "day", "dimension", "key"), name="figure_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="FigureDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    frozenshop.kernel.fields.KeyField(
                        choices=[
                            ("steps", "订单各步"),
                            ("passages", "签收"),
                            ("week", "每周签收"),
                            ("arriving", "今天预计送达"),
                            ("stale", "停滞"),
                            ("untold", "未告知的消息"),
                            ("frozen", "货款冻结"),
                        ],
                        max_length=10,
                        verbose_name="种类",
                    ),
                ),
                ("day", models.DateField(verbose_name="日期")),
                ("marked", models.PositiveIntegerField(default=1, verbose_name="变化")),
                ("counted", models.PositiveIntegerField(default=0, verbose_name="已统计")),
            ],
            options={
                "verbose_name": "统计日",
                "default_permissions": (),
                "verbose_name_plural": "统计日",
                "constraints": [models.UniqueConstraint(fields=("kind", "day"), name="figure_day_once")],
            },
        ),
    ]
