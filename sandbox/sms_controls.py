"""The controls of the SMS services' stand-ins: what the phones received, and which templates there are."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.controls import choice, flag, known_fields, text
from sandbox.sms import PhoneBook, SmsTemplate
from sandbox.world import World

Answer = Callable[[World, Mapping[str, Any]], Any]
SERVICES = ("aliyun_sms", "tencent_sms")


def received(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent, oldest first; of one `phone` if it is named."""
    phone, now = asked.get("phone", ""), world.clock()
    sent = world.own(PhoneBook).sent
    return {"messages": [sms.as_json(now) for sms in sent if phone in ("", sms.phone)]}


def templates(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    rows = world.own(PhoneBook).templates.items()
    return {"templates": [{"service": service, **dataclasses.asdict(one)} for (service, _), one in rows]}


def add_template(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Add or change a template: `{name}` for a variable, `{1}` at 腾讯云."""
    known_fields(asked, "service", "template_id", "content", "is_code")
    service = choice(asked, "service", SERVICES)
    made = SmsTemplate(
        text(asked, "template_id"), text(asked, "content", longest=500), is_code=flag(asked, "is_code", default=False)
    )
    world.own(PhoneBook).templates[service, made.template_id] = made
    return {"service": service, "template_id": made.template_id}


CONTROLS: Mapping[tuple[str, str], Answer] = {
    ("GET", "/sms"): received,
    ("GET", "/sms/templates"): templates,
    ("POST", "/sms/templates"): add_template,
}
"""By verb and path: who answers (world, JSON object of the body, or the query of a GET)."""
