"""An order that was paid together with others names the payment above its own (合单支付).

The database knows the default too: programs of the former version go on inserting orders meanwhile.
"""

from django.db import migrations

import frozenshop.kernel.fields


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_messaging_alerts")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="combine_mchid",
            field=frozenshop.kernel.fields.KeyField(
                blank=True, default="", db_default="", max_length=32, verbose_name="合单商户号"
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="combine_out_trade_no",
            field=frozenshop.kernel.fields.KeyField(
                blank=True, default="", db_default="", max_length=64, verbose_name="合单商户订单号"
            ),
        ),
    ]
