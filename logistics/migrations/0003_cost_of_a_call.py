"""What each call cost, so that an order's share can be told. Processes of the former release insert without it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("logistics", "0002_every_carrier")]

    operations = [
        migrations.AddField(
            model_name="providercall",
            name="cost_fen",
            field=models.DecimalField(
                db_default=0, decimal_places=2, default=0, max_digits=8, verbose_name="费用（分）"
            ),
        ),
    ]
