"""The program and the sandbox face to face, in one process and on one clock: every question and push goes through."""

import random
import time
from collections.abc import Callable
from typing import Any

import requests
from werkzeug.test import Client

from frozenshop.kernel import http
from logistics import messages, polling
from logistics.models import Carrier, Shipment
from logistics.tests.factories import make_carrier
from logistics.tests.tracked import deliver, tracked
from sandbox import controls
from sandbox.config import Config
from sandbox.faults import Fault
from sandbox.server import Sandbox

SETTINGS = {
    "KUAIDI100_BASE_URL": "https://kuaidi100.invalid",
    "KUAIDI100_CUSTOMER": "TESTCUSTOMER0000000000000000001",
    "KUAIDI100_KEY": "testKey000001",
    "KUAIDI100_CALLBACK_SALT": "salt-0001",
    "SF_BASE_URL": "https://sf.invalid",
    "SF_PARTNER_ID": "TESTPARTNER",
    "SF_CHECKWORD": "test-checkword-0000000000000001",
}
CODES = {"SF": "shunfeng", "YTO": "yuantong", "STO": "shentong"}
WORK = ("logistics.sync_shipment", "logistics.sync_batch", "logistics.subscribe", "logistics.apply_message")
__all__ = ["Wire", "deliver", "tracked"]


class Wire:
    """`call` stands at the one HTTP seam; `lost(waybill body)` says whether a push gets lost on its way to us."""

    def __init__(self, settings: Any) -> None:
        for name, value in SETTINGS.items():
            setattr(settings, name, value)
        config = Config(
            kdniao_business_id=settings.KDNIAO_BUSINESS_ID,
            kdniao_api_key=settings.KDNIAO_API_KEY,
            wechat_appid="",
            wechat_app_secret="",
            kuaidi100_customer=settings.KUAIDI100_CUSTOMER,
            kuaidi100_key=settings.KUAIDI100_KEY,
            sf_partner_id=settings.SF_PARTNER_ID,
            sf_checkword=settings.SF_CHECKWORD,
            public_url=settings.PUBLIC_URL,
        )
        self.sandbox = Sandbox(config, clock=time.time, rng=random.Random(7), send=self._push, sleep=lambda _: None)
        self.lost: Callable[[bytes], bool] = lambda body: False
        self.asked: list[str] = []
        self._client = Client(self.sandbox.application)

    @property
    def world(self) -> Any:
        return self.sandbox.world

    def call(self, service: str, method: str, url: str, **options: Any) -> requests.Response:
        self.asked.append(service)
        path = "/" + url.split("/", 3)[3]
        told = self._client.open(
            path, method=method, query_string=options.get("params"), data=options.get("data"),
            json=options.get("json"), headers=dict(options.get("headers") or {}),
        )  # fmt: skip
        if told.status_code >= 300:
            raise http.ServiceError(service, f"HTTP {told.status_code}", transient=True, status=told.status_code)
        response = requests.Response()
        response.status_code, response._content = told.status_code, told.get_data()
        return response

    def _push(self, url: str, body: bytes, headers: Any, patience: float) -> tuple[int, str]:
        """A lost push was taken by something on the way: its sender believes it arrived."""
        name, _, secret = url.partition("/callbacks/")[2].partition("/")
        reply = messages.get_provider(name).accepted(body) if self.lost(body) else messages.receive(name, body, secret)
        return reply.status, reply.body

    def fault(self, service: str, kind: str = "http_5xx", rate: float = 1.0) -> None:
        self.world.faults.add(Fault(service, kind, rate, self.world.clock() + 86_400))

    def carrier(self, code: str = "YTO", *providers: str) -> Carrier:
        tail = ["kdniao", "kuaidi100"] if code == "SF" else []
        carrier = make_carrier(code, kdniao_code=code, kuaidi100_code=CODES[code], needs_phone_tail=tail)
        Carrier.objects.filter(pk=carrier.pk).update(providers=list(providers))
        return Carrier.objects.get(pk=carrier.pk)

    def story(self, waybill_no: str, code: str = "YTO", **asked: Any) -> Any:
        """Let a parcel's story begin now."""
        put = {"carrier_code": code, "scenario": "normal", "provider": "kdniao"} | asked
        return controls.put_shipment(self.world, waybill_no, put)

    def parcel(self, waybill_no: str, code: str = "YTO", *providers: str, ago: float = 24) -> Shipment:
        """Ship an order `ago` hours ago, with a carrier whose providers are asked in this order."""
        self.carrier(code, *providers)
        return tracked(waybill_no, code=code, ago=ago)

    def minute(self) -> None:
        """Let the sandbox push, and do what is due, as beat and worker would."""
        self.sandbox.pusher.tick()
        deliver("logistics.apply_message")
        polling.claim_due()
        while deliver(*WORK):
            pass
