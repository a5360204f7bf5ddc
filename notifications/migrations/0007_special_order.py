"""What isn't shipped in the usual time is told to WeChat as a presale or a test."""

from django.db import migrations, models

import frozenshop.kernel.fields


class Migration(migrations.Migration):
    dependencies = [("notifications", "0006_combined_payment")]

    operations = [
        migrations.AddField(
            model_name="shippingreport",
            name="delay_to",
            field=models.DateTimeField(blank=True, null=True, verbose_name="预计发货"),
        ),
        migrations.AddField(
            model_name="shippingreport",
            name="special",
            field=frozenshop.kernel.fields.KeyField(
                blank=True,
                choices=[("presale", "预售"), ("test", "测试订单")],
                db_default="",
                default="",
                max_length=10,
                verbose_name="特殊发货",
            ),
        ),
        migrations.AddField(
            model_name="shippingreport",
            name="special_said",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=300, verbose_name="报备答复"
            ),
        ),
        migrations.AddField(
            model_name="shippingreport",
            name="special_state",
            field=frozenshop.kernel.fields.KeyField(
                blank=True,
                choices=[
                    ("asked", "待报备"),
                    ("sending", "报备中"),
                    ("told", "已报备"),
                    ("refused", "被拒绝"),
                    ("unknown", "结果未知"),
                ],
                db_default="",
                default="",
                max_length=10,
                verbose_name="报备状态",
            ),
        ),
    ]
