"""Which carrier a provider found instead of ours, beside the subscription that it said so of."""

from django.db import migrations

import frozenshop.kernel.fields


class Migration(migrations.Migration):
    dependencies = [("logistics", "0004_provider_refusal")]

    operations = [
        migrations.AddField(
            model_name="subscription",
            name="corrected_carrier_code",
            field=frozenshop.kernel.fields.KeyField(blank=True, max_length=40, verbose_name="服务商认定的承运商"),
        ),
    ]
