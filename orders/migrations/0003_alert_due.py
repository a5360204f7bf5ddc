"""The queue in the order of its due times, without the members of incidents."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_every_carrier")]

    operations = [
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(fields=["resolved_at", "incident", "due_at", "id"], name="alert_due"),
        ),
    ]
