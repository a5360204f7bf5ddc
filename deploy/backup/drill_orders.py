"""What the drill asks of the program itself: `write PREFIX` orders until killed, or open `probe N` sealed consignees.

Each written order is told on standard output when its transaction is committed: number, instants before and after.
"""

import itertools
import sys
import time

import django

django.setup()

from django.utils import timezone  # noqa: E402

from frozenshop.kernel import audit  # noqa: E402
from frozenshop.kernel.actor import Actor, Source  # noqa: E402
from orders.intake import parse_order  # noqa: E402
from orders.models import Order  # noqa: E402
from orders.services import take_order  # noqa: E402

SHOP = Actor(Source.SHOP, "key:drill")
CONSIGNEE = {
    "name": "张三",
    "phone": "13800001234",
    "province": "上海市",
    "city": "上海市",
    "district": "浦东新区",
    "address": "演练路 1 号",
}
LINE = {"sku": "DRILL", "name": "鲜虾仁", "quantity": 1, "unit_price_fen": 3900, "temperature_class": "frozen"}
SEAL_EVERY = 20


def write(prefix: str) -> None:
    for count in itertools.count(1):
        order_no, before = f"{prefix}-{count:06}", time.time()
        placed_at = timezone.now().isoformat()
        order = {"order_no": order_no, "placed_at": placed_at, "consignee": CONSIGNEE, "lines": [LINE]}
        take_order(parse_order(order), SHOP)
        audit.record(SHOP, "drill.order", order_no)
        print(order_no, before, time.time(), flush=True)
        if count % SEAL_EVERY == 0:
            audit.seal_pending()


def probe(count: int) -> None:
    """Raises SealBroken where the keys are not those of the rows."""
    newest, oldest = Order.objects.order_by("-id")[:count], Order.objects.order_by("id")[:count]
    names = [order.open_consignee().name for order in (*newest, *oldest)]
    print(sum(bool(name) for name in names))


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2])
    else:
        probe(int(sys.argv[2]))
