"""Bring every sealed value and blind index under the newest keys while the site runs.

A row is changed only if it still is what was read, so that an edit in between is never lost: it is read again. Values
under the old keys stay readable and searchable all along; whoever runs this drops the old keys only afterwards.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.db.models import Model

from frozenshop.api import sessions
from frozenshop.api.models import BuyerSession
from frozenshop.backoffice.batches import files
from frozenshop.backoffice.finding import recent
from frozenshop.backoffice.models import BatchFilePiece, BatchRow, RecentSearch
from frozenshop.backoffice.signin import totp
from frozenshop.backoffice.signin.models import Authenticator
from frozenshop.kernel import crypto, merchant_keys
from frozenshop.kernel.models import MerchantKey
from logistics import messages
from logistics.archive.models import ArchivedOrder, note_purpose
from logistics.models import ProviderMessage
from notifications.models import SmsPush, WebhookEndpoint, WechatEvent
from notifications.sms import pushes
from notifications.webhooks import endpoints
from notifications.wechat import events
from orders import holds
from orders.consignee import Consignee, indexes
from orders.models import Customer, LegalHold, Order

TRIES = 5


@dataclass(frozen=True, slots=True)
class Rotated:
    """A table with sealed columns and blind indexes; `renew` returns those of a row under the newest keys.

    `read` are the other columns that it looks at.
    """

    model: type[Model]
    renew: Callable[[Any], Mapping[str, str]]
    sealed: tuple[str, ...]
    indexes: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    batch: int = 500


@dataclass(slots=True)
class Progress:
    """`changed` rows were brought under the newest keys; `broken` ones can't be opened, or never stood still."""

    table: str
    seen: int
    changed: int
    broken: list[int]


def rotate(*, change: bool = True) -> Iterator[Progress]:
    """Go through every table by primary key, and yield after each batch. Without `change`, only count.

    Safe to repeat and to break off: what is done already is passed over.
    """
    for table in TABLES:
        progress = Progress(str(table.model._meta.verbose_name), 0, 0, [])
        last: int = 0
        while rows := list(_rows(table).filter(pk__gt=last)[: table.batch]):
            last = rows[-1].pk
            progress.seen += len(rows)
            _rotate_batch(table, rows, progress, change=change)
            yield progress


def _rotate_batch(table: Rotated, rows: list[Model], progress: Progress, *, change: bool) -> None:
    renewed = [(row, values) for row in rows if (values := _renewed(table, row, progress)) is not None]
    if not change:
        progress.changed += len(renewed)
        return
    with transaction.atomic():
        moved_on = [row for row, values in renewed if not _replace(table, row, values)]
    progress.changed += len(renewed) - len(moved_on)
    for row in moved_on:
        _rotate_again(table, row.pk, progress)


def _rotate_again(table: Rotated, pk: int, progress: Progress) -> None:
    """A row that changed between reading and writing."""
    for _ in range(TRIES):
        row = _rows(table).filter(pk=pk).first()
        values = _renewed(table, row, progress) if row is not None else None
        if row is None or values is None:
            return
        if _replace(table, row, values):
            progress.changed += 1
            return
    progress.broken.append(pk)


def _renewed(table: Rotated, row: Model, progress: Progress) -> Mapping[str, str] | None:
    """Return the row's values under the newest keys, or None if they are there already."""
    try:
        values = table.renew(row)
    except crypto.SealBroken:
        progress.broken.append(row.pk)
        return None
    newest = crypto.newest_encryption_key_id()
    current = {name: getattr(row, name) for name in values}
    stale = any(
        crypto.sealed_under(current[name]) != newest if name in table.sealed else current[name] != value
        for name, value in values.items()
    )
    return values if stale else None


def _replace(table: Rotated, row: Model, values: Mapping[str, str]) -> bool:
    as_read = {name: getattr(row, name) for name in (*values, *table.read)}
    return bool(table.model._default_manager.filter(pk=row.pk, **as_read).update(**values))


def _rows(table: Rotated) -> Any:
    return table.model._default_manager.order_by("pk").only(*table.sealed, *table.indexes, *table.read)


def _renew_order(order: Order) -> Mapping[str, str]:
    if not order.consignee_sealed:
        return {}
    consignee = Consignee.open(order.consignee_sealed, order.order_no)
    return {"consignee_sealed": consignee.seal(order.order_no), **asdict(indexes(consignee, order.placed_at))}


def _renew_archived(row: ArchivedOrder) -> Mapping[str, str]:
    """What was erased in its term keeps the index that it has: nothing is left to make another of."""
    note = _resealed(row, ("note_sealed",), note_purpose(row.order_no))
    if not row.consignee_sealed:
        return note
    consignee = Consignee.open(row.consignee_sealed, row.order_no)
    sealed = {"consignee_sealed": consignee.seal(row.order_no)}
    return {**sealed, **note, **asdict(indexes(consignee, row.placed_at))}


def _renew_hold(hold: LegalHold) -> Mapping[str, str]:
    if not hold.phone_sealed:
        return {}
    purpose = holds.purpose(hold.number)
    phone = crypto.open_sealed(hold.phone_sealed, purpose=purpose)
    return {
        "phone_sealed": crypto.seal(phone, purpose=purpose),
        "phone_index": crypto.blind_index(phone, purpose="phone"),
    }


def _renew_customer(customer: Customer) -> Mapping[str, str]:
    phone = customer.open_phone()
    if phone is None:
        return {}
    return {"phone_sealed": customer.seal_phone(phone), "phone_index": crypto.blind_index(phone, purpose="phone")}


def _renew_merchant_key(key: MerchantKey) -> Mapping[str, str]:
    return _resealed(key, ("secret_sealed", "previous_secret_sealed"), merchant_keys.purpose(key.key_id))


def _renew_session(session: BuyerSession) -> Mapping[str, str]:
    return _resealed(session, ("secret_sealed",), sessions.purpose_of(session.token_digest))


def _renew_authenticator(authenticator: Authenticator) -> Mapping[str, str]:
    return _resealed(authenticator, ("secret_sealed",), totp.purpose_of(authenticator.user_id))


def _renew_endpoint(endpoint: WebhookEndpoint) -> Mapping[str, str]:
    return _resealed(endpoint, ("secrets_sealed",), endpoints.purpose(endpoint))


def _renew_search(search: RecentSearch) -> Mapping[str, str]:
    return _resealed(search, ("text_sealed",), recent.purpose_of(search.token))


def _renew_batch_row(row: BatchRow) -> Mapping[str, str]:
    given = _resealed(row, ("given_sealed",), row.purpose_of("given"))
    return {**given, **_resealed(row, ("before_sealed",), row.purpose_of("before"))}


def _renew_piece(piece: BatchFilePiece) -> Mapping[str, str]:
    return _resealed(piece, ("sealed",), files.purpose_of(piece.file_id, piece.position))


def _renew_wechat_event(event: WechatEvent) -> Mapping[str, str]:
    return _resealed(event, ("body_sealed",), events.purpose_of(event.key))


def _renew_sms_push(push: SmsPush) -> Mapping[str, str]:
    return _resealed(push, ("body_sealed",), pushes.purpose_of(push.digest))


def _renew_message(message: ProviderMessage) -> Mapping[str, str]:
    return _resealed(message, ("body_sealed",), messages.purpose_of(message.digest))


def _resealed(row: Model, names: tuple[str, ...], purpose: str) -> Mapping[str, str]:
    sealed = {name: getattr(row, name) for name in names if getattr(row, name)}
    opened = {name: crypto.open_sealed(value, purpose=purpose) for name, value in sealed.items()}
    return {name: crypto.seal(plaintext, purpose=purpose) for name, plaintext in opened.items()}


TABLES = [
    Rotated(
        Order,
        _renew_order,
        sealed=("consignee_sealed",),
        indexes=("phone_index", "name_index", "tail_index"),
        read=("order_no", "placed_at"),
    ),
    Rotated(
        ArchivedOrder,
        _renew_archived,
        sealed=("consignee_sealed", "note_sealed"),
        indexes=("phone_index", "name_index", "tail_index"),
        read=("order_no", "placed_at"),
    ),
    Rotated(LegalHold, _renew_hold, sealed=("phone_sealed",), indexes=("phone_index",), read=("number",)),
    Rotated(Customer, _renew_customer, sealed=("phone_sealed",), indexes=("phone_index",)),
    Rotated(MerchantKey, _renew_merchant_key, sealed=("secret_sealed", "previous_secret_sealed"), read=("key_id",)),
    Rotated(BuyerSession, _renew_session, sealed=("secret_sealed",), read=("token_digest",)),
    Rotated(Authenticator, _renew_authenticator, sealed=("secret_sealed",), read=("user_id",)),
    Rotated(WebhookEndpoint, _renew_endpoint, sealed=("secrets_sealed",)),
    Rotated(RecentSearch, _renew_search, sealed=("text_sealed",), read=("token",)),
    Rotated(BatchRow, _renew_batch_row, sealed=("given_sealed", "before_sealed"), read=("batch_id", "number")),
    Rotated(BatchFilePiece, _renew_piece, sealed=("sealed",), read=("file_id", "position"), batch=20),
    Rotated(WechatEvent, _renew_wechat_event, sealed=("body_sealed",), read=("key",)),
    # A message may be as large as a megabyte.
    Rotated(SmsPush, _renew_sms_push, sealed=("body_sealed",), read=("digest",), batch=50),
    Rotated(ProviderMessage, _renew_message, sealed=("body_sealed",), read=("digest",), batch=50),
]
