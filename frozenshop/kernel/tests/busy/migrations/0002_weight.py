"""Three steps, of which the second one is on another table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("busy", "0001_crate")]
    operations = [
        migrations.CreateModel("Lid", [("id", models.BigAutoField(primary_key=True))]),
        migrations.AddField("crate", "weight", models.IntegerField(null=True)),
        migrations.AddIndex("crate", models.Index(fields=["weight"], name="crate_weight")),
    ]
