"""Which request or job a notice, a webhook or a push came from."""

from django.db import migrations, models

import frozenshop.kernel.fields
import frozenshop.kernel.request_id


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0010_addressee"),
        ("orders", "0005_combined_payment"),
    ]

    operations = [
        migrations.AddField(
            model_name="notice",
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
            model_name="smspush",
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
            model_name="webhookmessage",
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
            model_name="wechatevent",
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
            model_name="notice",
            index=models.Index(fields=["request_id"], name="notice_request"),
        ),
        migrations.AddIndex(
            model_name="smspush",
            index=models.Index(fields=["request_id"], name="sms_push_request"),
        ),
        migrations.AddIndex(
            model_name="webhookmessage",
            index=models.Index(fields=["request_id"], name="webhook_message_request"),
        ),
        migrations.AddIndex(
            model_name="wechatevent",
            index=models.Index(fields=["request_id"], name="wechat_event_request"),
        ),
    ]
