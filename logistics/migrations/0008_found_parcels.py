"""Parcels are found by the end of their number, and by the day on which they should arrive.

Rows from before are filled by the job `fill_waybill_endings`, so that no transaction holds millions of them; it fills too
what programs of the former version go on inserting meanwhile (empty, as the database's default has it).
"""

from django.db import migrations, models

import frozenshop.kernel.fields


class Migration(migrations.Migration):
    dependencies = [("logistics", "0007_provider_news")]

    operations = [
        migrations.AddField(
            model_name="shipment",
            name="waybill_reversed",
            field=frozenshop.kernel.fields.ReversedField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=64,
                of="waybill_no",
                verbose_name="运单号（倒序）",
            ),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(fields=["waybill_reversed"], name="shipment_waybill_end"),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(fields=["status", "eta_latest", "id"], name="shipment_due"),
        ),
    ]
