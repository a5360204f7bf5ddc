"""Which request or job made a call to a provider, or brought its message."""

from django.db import migrations, models

import frozenshop.kernel.fields
import frozenshop.kernel.request_id


class Migration(migrations.Migration):
    dependencies = [
        ("logistics", "0005_corrected_carrier"),
    ]

    operations = [
        migrations.AddField(
            model_name="providercall",
            name="request_id",
            field=frozenshop.kernel.fields.KeyField(
                blank=True,
                db_default="",
                default=frozenshop.kernel.request_id.current,
                max_length=64,
                verbose_name="请求编号",
            ),
        ),
        migrations.AddField(
            model_name="providermessage",
            name="request_id",
            field=frozenshop.kernel.fields.KeyField(
                blank=True,
                db_default="",
                default=frozenshop.kernel.request_id.current,
                max_length=64,
                verbose_name="请求编号",
            ),
        ),
        migrations.AddIndex(
            model_name="providercall",
            index=models.Index(fields=["request_id"], name="provider_call_request"),
        ),
        migrations.AddIndex(
            model_name="providermessage",
            index=models.Index(fields=["request_id"], name="provider_message_request"),
        ),
    ]
