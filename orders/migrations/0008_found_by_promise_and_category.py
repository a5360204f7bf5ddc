"""Orders past their promise, lines of a category and the queue of one kind of alert have an index each. The former
version's programs don't mind indexes.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0007_archive")]

    operations = [
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["status", "promised_by", "id"], name="order_promised"),
        ),
        migrations.AddIndex(
            model_name="orderline",
            index=models.Index(fields=["category", "order"], name="line_category"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(fields=["resolved_at", "kind", "due_at", "id"], name="alert_kind_due"),
        ),
    ]
