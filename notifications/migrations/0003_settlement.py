"""A report is found by its payment, knows whether all was told, and when staff were warned."""

import frozenshop.kernel.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0002_lanes'),
    ]

    operations = [
        migrations.AddField(
            model_name='shippingreport',
            name='payment',
            field=frozenshop.kernel.fields.KeyField(blank=True, default='', max_length=110, verbose_name='支付单'),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='shippingreport',
            name='complete',
            field=models.BooleanField(default=False, verbose_name='已全部上报'),
        ),
        migrations.AddField(
            model_name='shippingreport',
            name='in_complaint',
            field=models.BooleanField(default=False, verbose_name='投诉中'),
        ),
        migrations.AddField(
            model_name='shippingreport',
            name='warned_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='催报时间'),
        ),
        migrations.AddIndex(
            model_name='shippingreport',
            index=models.Index(fields=['payment'], name='shipping_report_payment'),
        ),
    ]
