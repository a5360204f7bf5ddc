"""The index page sums the steps of all days along an index. The former version's programs don't mind it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("backoffice", "0006_finding")]

    operations = [
        migrations.AddIndex(
            model_name="figure",
            index=models.Index(fields=["kind", "key", "day", "count"], name="figure_sum"),
        ),
    ]
