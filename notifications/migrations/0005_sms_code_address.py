"""Codes remember where they were asked from, as a blind index: budgets per address are counted from the rows."""

from django.db import migrations, models

import frozenshop.kernel.fields


class Migration(migrations.Migration):
    dependencies = [("notifications", "0004_webhook_lanes")]

    operations = [
        migrations.AddField(
            model_name="smscode",
            name="address_index",
            field=frozenshop.kernel.fields.KeyField(blank=True, default="", max_length=64),
        ),
        migrations.AddIndex(
            model_name="smscode",
            index=models.Index(fields=["address_index", "sent_at"], name="sms_code_address"),
        ),
    ]
