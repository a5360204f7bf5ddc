"""A payment that was one of several, paid in one go, names the one above it."""

from django.db import migrations, models

import frozenshop.kernel.fields


class Migration(migrations.Migration):
    dependencies = [("notifications", "0005_sms_code_address")]

    operations = [
        migrations.AddField(
            model_name="shippingreport",
            name="combined",
            field=frozenshop.kernel.fields.KeyField(
                blank=True, default="", db_default="", max_length=110, verbose_name="合单支付"
            ),
        ),
        migrations.AddIndex(
            model_name="shippingreport",
            index=models.Index(fields=["combined"], name="shipping_report_combined"),
        ),
    ]
