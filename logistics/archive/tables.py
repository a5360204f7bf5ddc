"""Which rows travel with an order, as data. What else refers to an order stays where it is (docs/archive.md)."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Field, FloatField, Model

from logistics.models import DriverLink, Shipment, ShipmentLine, ShipmentOrder, Subscription, TrackingEvent
from orders.models import Alert, AlertNote, Order, OrderEvent, OrderLine


@dataclass(frozen=True, slots=True)
class Travelling:
    """A table of which rows travel. They belong to the row of `owner_table` whose key stands in `owner`.

    `apart` are the columns that lie beside the body, in columns of the archive's own row.
    """

    model: type[Model]
    owner: str
    owner_table: type[Model]
    apart: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self.model._meta.db_table

    @property
    def fields(self) -> list["Field[Any, Any]"]:
        return [one for one in self.model._meta.concrete_fields if not one.generated and one.attname not in self.apart]


APART = frozenset({"consignee_sealed", "phone_index", "name_index", "tail_index", "note"})
ORDERS = Travelling(Order, "id", Order, APART)
LINES = Travelling(OrderLine, "order_id", Order)
LINKS = Travelling(ShipmentOrder, "order_id", Order)
SHIPMENTS = Travelling(Shipment, "id", Shipment)
ALERTS = Travelling(Alert, "order_id", Order)
SCANS = Travelling(TrackingEvent, "shipment_id", Shipment)

TABLES = (
    ORDERS,
    LINES,
    Travelling(OrderEvent, "order_id", Order),
    ALERTS,
    Travelling(AlertNote, "alert_id", Alert),
    SHIPMENTS,
    LINKS,
    Travelling(ShipmentLine, "link_id", ShipmentOrder),
    SCANS,
    Travelling(Subscription, "shipment_id", Shipment),
    Travelling(DriverLink, "shipment_id", Shipment),
)
"""In the order in which they can be inserted; the reverse is that of deleting."""

TEXTS: Mapping[str, tuple[str, ...]] = {
    "orders_orderevent": ("reason",),
    "orders_alert": ("detail", "resolution"),
    "orders_alertnote": ("text",),
    "logistics_shipment": ("void_reason",),
    "logistics_trackingevent": ("text",),
    "logistics_subscription": ("detail",),
}
"""Columns of a body in which carriers and staff wrote what they liked."""

NAMING = {**TEXTS, "logistics_trackingevent": ("text", "location")}
"""Where a person may be named: carriers write all sorts of things into a place."""


@functools.cache
def columns(table: Travelling) -> list[str]:
    return [str(field.column) for field in table.fields]


@functools.cache
def as_json(table: Travelling) -> str:
    """Return the SQL by which the database writes a row of the body, in the order of `columns`.

    It is some ten times quicker at it than making values of Python and JSON of those.
    """
    return f"JSON_ARRAY({', '.join(_value(field) for field in table.fields)})"


def as_literals(names: Iterable[str]) -> str:
    """Return the SQL by which the database writes columns of a row as they stand in an INSERT, between commas.

    A value that only moves from one table to another needs no value of Python in between. Source: QUOTE() is the
    inverse of reading a literal under the SQL mode that `settings.DATABASES` sets.
    """
    quoted = [f"QUOTE({connection.ops.quote_name(name)})" for name in names]
    return " || ',' || ".join(quoted) if connection.vendor == "sqlite" else f"CONCAT_WS(',', {', '.join(quoted)})"


def _value(field: "Field[Any, Any]") -> str:
    name = connection.ops.quote_name(str(field.column))
    if connection.vendor == "sqlite" and isinstance(field, FloatField):  # its own JSON rounds to 15 digits
        return f"json(CASE WHEN {name} IS NULL THEN 'null' ELSE printf('%!.17g', {name}) END)"
    return name
