"""Parcels are listed by their carrier, and by when they will arrive. The former version's programs don't mind indexes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("logistics", "0010_archived_texts")]

    operations = [
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(fields=["carrier", "shipped_at", "id"], name="shipment_carrier"),
        ),
        migrations.AddIndex(
            model_name="shipment",
            index=models.Index(fields=["eta_likely", "id", "status"], name="shipment_eta"),
        ),
    ]
