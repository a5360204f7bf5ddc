"""`manage.py load_base_data`: carriers, product categories and the calendar."""

from typing import Any

from django.core.management.base import BaseCommand

from frozenshop.kernel.calendar import load_calendar
from logistics.carriers import load_carriers
from orders.models import ProductCategory, TemperatureClass

CATEGORIES = (
    ("seafood", "海鲜水产", TemperatureClass.FROZEN),
    ("meat", "牛羊猪肉", TemperatureClass.FROZEN),
    ("poultry", "禽肉", TemperatureClass.FROZEN),
    ("dumpling", "速冻面点", TemperatureClass.FROZEN),
    ("hotpot", "火锅丸滑", TemperatureClass.FROZEN),
    ("prepared", "预制菜", TemperatureClass.FROZEN),
    ("icecream", "冰淇淋", TemperatureClass.FROZEN),
    ("chilled", "冷藏鲜品", TemperatureClass.CHILLED),
    ("ambient", "常温食品", TemperatureClass.AMBIENT),
)


class Command(BaseCommand):
    help = "载入承运商、商品类目和日历；可以重复执行，不覆盖员工改过的内容"

    def handle(self, *args: Any, **options: Any) -> None:
        created, updated = load_carriers()
        for code, name, temperature_class in CATEGORIES:
            ProductCategory.objects.get_or_create(
                code=code, defaults={"name": name, "temperature_class": temperature_class}
            )
        load_calendar()
        self.stdout.write(f"承运商：新增 {created}，更新 {updated}；商品类目 {len(CATEGORIES)} 个；日历已载入")
