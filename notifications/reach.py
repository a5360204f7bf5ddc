"""How a person can be reached: which channels are set up, with which template, and at which address."""

import re
from collections.abc import Collection, Mapping
from typing import Self

from django.db.models import Q

from notifications import opening
from notifications.channels import base
from notifications.models import Audience, Channel, MessageTemplate, Milestone, Notice, OfficialFollower, Unionid
from notifications.occasions import OCCASIONS, SMS
from notifications.situation import SMS_TOPIC, Situation, part_of

NEEDS_TEMPLATE = frozenset({Channel.WECHAT_SUBSCRIBE, Channel.WECHAT_OFFICIAL, *SMS})
_MOBILE = re.compile(r"1[3-9][0-9]{9}")


class Reach:
    """What was read once for many notices: templates, followers and configured channels."""

    def __init__(
        self,
        configured: frozenset[str],
        templates: Mapping[tuple[str, str], MessageTemplate],
        followers: Mapping[int, str],
        willing: Collection[tuple[str, str]] | None = None,
    ) -> None:
        self.configured, self._templates, self._followers, self._willing = configured, templates, followers, willing

    @classmethod
    def of(
        cls, notices: Collection[Notice], situations: Collection[Situation], *, closed: Collection[str] = ()
    ) -> Self:
        """Read what the notices need (four queries at most).

        `closed`: channels that are out of order. Who allowed WeChat nothing doesn't wait for it to be told so.
        """
        configured = base.configured_channels()
        rows = MessageTemplate.objects.filter(
            enabled=True,
            trouble="",
            channel__in=configured & NEEDS_TEMPLATE,
            milestone__in={n.milestone for n in notices},
        )
        customers = {about.customer.pk for about in situations if about.customer}
        followers = _followers(customers) if Channel.WECHAT_OFFICIAL in configured and customers else {}
        templates = {(row.channel, row.milestone): row for row in rows}
        willing = None
        if Channel.WECHAT_SUBSCRIBE in closed:
            openids = {about.customer.openid for about in situations if about.customer and about.customer.openid}
            ids = {row.template_id for (channel, _), row in templates.items() if channel == Channel.WECHAT_SUBSCRIBE}
            ask = getattr(base.get_channel(Channel.WECHAT_SUBSCRIBE), "willing", None)
            willing = ask(openids, ids) if ask else None
        return cls(configured, templates, followers, willing)

    def template(self, channel: str, milestone: str) -> MessageTemplate | None:
        return self._templates.get((channel, milestone))

    def ways(self, notice: Notice, about: Situation) -> list[tuple[Channel, str]]:
        """Return the channels by which this person can be told this, in order, each with the address there."""
        planned = OCCASIONS[Milestone(notice.milestone)].told.get(Audience(notice.audience), ())
        found = [(channel, self.address(channel, notice, about)) for channel in planned if self._ready(channel, notice)]
        return [(channel, address) for channel, address in found if address is not None]

    def address(self, channel: str, notice: Notice, about: Situation) -> str | None:
        """Return where the channel finds the person; None: it doesn't."""
        customer = about.customer
        if channel in SMS:
            return None if SMS_TOPIC in about.unwanted else _phone(notice, about)
        if channel == Channel.WECHAT_SUBSCRIBE:
            return customer.openid if customer and self._may_allow(customer.openid, notice) else None
        if channel == Channel.WECHAT_OFFICIAL:
            return self._followers.get(customer.pk) if customer else None
        if channel == Channel.EMAIL:
            return about.contact.email or None if about.contact else None
        return "" if channel == Channel.WECOM_BOT and part_of(notice.recipient, "role") else None

    def _may_allow(self, openid: str | None, notice: Notice) -> bool:
        template = self.template(Channel.WECHAT_SUBSCRIBE, notice.milestone)
        return self._willing is None or template is None or (openid, template.template_id) in self._willing

    def _ready(self, channel: str, notice: Notice) -> bool:
        if channel not in self.configured:
            return False
        return channel not in NEEDS_TEMPLATE or self.template(channel, notice.milestone) is not None


def _phone(notice: Notice, about: Situation) -> str | None:
    """Return the mobile phone: the buyer's own verified one, else the one on the parcel."""
    if notice.audience == Audience.BUYER and about.customer and about.customer.phone_index:
        phone = opening.phone_of(about.customer) or ""
    else:
        consignee = opening.consignee_of(about.order)
        phone = consignee.phone if consignee else ""
    return phone if _MOBILE.fullmatch(phone) else None


def _followers(customer_ids: Collection[int]) -> dict[int, str]:
    unionids = dict(Unionid.objects.filter(customer_id__in=customer_ids).values_list("unionid", "customer_id"))
    following = OfficialFollower.objects.filter(Q(unionid__in=unionids), following=True)
    return {unionids[unionid]: openid for unionid, openid in following.values_list("unionid", "openid")}
