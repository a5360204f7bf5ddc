"""What one id set off is found by it: queued work, and acts on record."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kernel", "0001_initial"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["request_id"], name="audit_request"),
        ),
        migrations.AddIndex(
            model_name="outboxmessage",
            index=models.Index(fields=["request_id"], name="outbox_request"),
        ),
    ]
