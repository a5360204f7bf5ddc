"""Data: as a whole or not at all."""

from django.db import migrations


def fill(apps, schema_editor):
    crates = apps.get_model("busy", "Crate").objects
    for pk in crates.order_by("pk").values_list("pk", flat=True):
        crates.filter(pk=pk).update(weight=1)


def empty(apps, schema_editor):
    apps.get_model("busy", "Crate").objects.update(weight=None)


class Migration(migrations.Migration):
    dependencies = [("busy", "0002_weight")]
    operations = [migrations.RunPython(fill, empty)]
