"""Who there is in the soak's database: printed as JSON for the load. Runs inside the program."""

import json

import django

django.setup()

from django.conf import settings  # noqa: E402

from frozenshop.api import sessions  # noqa: E402
from frozenshop.backoffice.demo import credentials, sms  # noqa: E402
from logistics.models import Shipment  # noqa: E402
from orders.models import Customer, OrderAccess  # noqa: E402

SESSIONS = 50


def main() -> None:
    made, customer = credentials.prepare()
    sms.make_templates()
    accesses = OrderAccess.objects.filter(customer=customer).order_by("-placed_at")
    order_nos = list(accesses.values_list("order__order_no", flat=True)[:100])
    logins = [sessions.start(customer) for _ in range(SESSIONS)]
    parcels = Shipment.objects.filter(voided_at=None).exclude(carrier__kdniao_code="").order_by("-id")
    told = {
        "buyers": [{"token": one.token, "secret_hex": one.sign_secret, "order_nos": order_nos} for one in logins],
        "parcels": list(parcels.values_list("waybill_no", "carrier__kdniao_code")[:2000]),
        "openid": Customer.objects.get(pk=customer.pk).openid,
        "staff": made["staff"],
        "merchant": made["merchant"],
        "kdniao_api_key": settings.KDNIAO_API_KEY,
    }
    print(json.dumps(told))


main()
