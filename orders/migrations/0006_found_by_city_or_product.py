"""Orders are found by city, and by a product that they hold. The former version's programs don't mind indexes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0005_combined_payment")]

    operations = [
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["city", "placed_at", "id"], name="order_city"),
        ),
        migrations.AddIndex(
            model_name="orderline",
            index=models.Index(fields=["sku", "order"], name="line_sku"),
        ),
    ]
