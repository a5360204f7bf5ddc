"""When an archived order lost its texts. The former version has no archive."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("logistics", "0009_archive"),
    ]

    operations = [
        migrations.AddField(
            model_name="archivedorder",
            name="texts_erased_at",
            field=models.DateTimeField(null=True, verbose_name="文字清除时间"),
        ),
        migrations.AddIndex(
            model_name="archivedorder",
            index=models.Index(fields=["texts_erased_at", "placed_at", "id"], name="archived_texts"),
        ),
    ]
