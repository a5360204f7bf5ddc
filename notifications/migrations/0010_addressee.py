"""Whoever is told something has a row to be locked while what they were told today is counted."""

from django.db import migrations

import frozenshop.kernel.fields


class Migration(migrations.Migration):
    dependencies = [("notifications", "0009_sms_push")]

    operations = [
        migrations.CreateModel(
            name="Addressee",
            fields=[
                (
                    "recipient",
                    frozenshop.kernel.fields.KeyField(
                        max_length=120, primary_key=True, serialize=False, verbose_name="接收人"
                    ),
                ),
            ],
            options={"verbose_name": "接收人", "verbose_name_plural": "接收人"},
        ),
    ]
