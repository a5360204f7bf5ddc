"""Which carriers a provider refuses, so that it isn't asked about each of their parcels."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import frozenshop.kernel.fields

PROVIDERS = [("kdniao", "快递鸟"), ("cainiao", "菜鸟"), ("kuaidi100", "快递100"), ("sf", "顺丰"), ("manual", "人工")]


class Migration(migrations.Migration):
    dependencies = [("logistics", "0003_cost_of_a_call")]

    operations = [
        migrations.CreateModel(
            name="ProviderRefusal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", frozenshop.kernel.fields.KeyField(choices=PROVIDERS, max_length=12, verbose_name="服务商")),
                ("reason", models.CharField(max_length=300, verbose_name="原因")),
                ("refused_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="拒绝时间")),
                ("retry_at", models.DateTimeField(verbose_name="再次尝试")),
                (
                    "carrier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="refusals",
                        to="logistics.carrier",
                        verbose_name="承运商",
                    ),
                ),
            ],
            options={
                "verbose_name": "服务商拒绝的承运商",
                "verbose_name_plural": "服务商拒绝的承运商",
                "constraints": [
                    models.UniqueConstraint(fields=["provider", "carrier"], name="provider_refusal_once"),
                ],
            },
        ),
    ]
