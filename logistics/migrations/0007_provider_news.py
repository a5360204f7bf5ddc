"""What providers' messages hold that our parsers don't know, until somebody knows it."""

import django.utils.timezone
from django.db import migrations, models

import frozenshop.kernel.fields

_PROVIDERS = [("kdniao", "快递鸟"), ("cainiao", "菜鸟"), ("kuaidi100", "快递100"), ("sf", "顺丰"), ("manual", "人工")]
_WHAT = [
    ("field", "新字段"),
    ("type", "类型变了"),
    ("missing", "缺少必有字段"),
    ("code", "新代码"),
    ("unreadable", "无法打开"),
]


class Migration(migrations.Migration):
    dependencies = [("logistics", "0006_request_id")]

    operations = [
        migrations.CreateModel(
            name="ProviderNews",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "provider",
                    frozenshop.kernel.fields.KeyField(choices=_PROVIDERS, max_length=12, verbose_name="服务商"),
                ),
                (
                    "kind",
                    frozenshop.kernel.fields.KeyField(
                        choices=[("push", "推送"), ("answer", "查询结果")], max_length=10, verbose_name="消息类型"
                    ),
                ),
                ("what", frozenshop.kernel.fields.KeyField(choices=_WHAT, max_length=10, verbose_name="变化")),
                ("path", frozenshop.kernel.fields.KeyField(blank=True, max_length=120, verbose_name="位置")),
                ("value", frozenshop.kernel.fields.KeyField(blank=True, max_length=24, verbose_name="类型或代码")),
                ("count", models.PositiveIntegerField(default=0, verbose_name="抽查到的次数")),
                ("first_seen_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="首次发现")),
                ("last_seen_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="最近发现")),
                ("known_at", models.DateTimeField(blank=True, null=True, verbose_name="知晓时间")),
                ("known_by", frozenshop.kernel.fields.KeyField(blank=True, max_length=150, verbose_name="知晓者")),
            ],
            options={
                "verbose_name": "服务商接口变化",
                "verbose_name_plural": "服务商接口变化",
                "indexes": [models.Index(fields=["known_at", "id"], name="provider_news_open")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider", "kind", "what", "path", "value"), name="provider_news_once"
                    )
                ],
            },
        ),
    ]
