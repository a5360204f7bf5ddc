"""A chain made at once, and every way to tamper with it, at a place that chance picks."""

import datetime as dt
import json
from collections.abc import Callable
from random import Random

from django.db.models import F, QuerySet
from django.test import override_settings

from frozenshop.kernel import audit
from frozenshop.kernel.audit import Checkpoint, chain
from frozenshop.kernel.models import AuditEntry, AuditSeal

START = dt.datetime(2026, 11, 1, 8, 0, tzinfo=dt.UTC)
STEP = dt.timedelta(minutes=7)
FURTHER = dt.timedelta(days=30)
GUESSED = "a-key-that-somebody-guessed-of-more-than-32-characters"
Tamper = Callable[[Random, int], int | None]
"""Changes something in a chain of that length; returns the position that must be named, where there is one."""


def build(size: int) -> None:
    """Make a sealed chain of rows seven minutes apart, each with an id two above the former's."""
    rows = [_row(number) for number in range(size)]
    AuditEntry.objects.bulk_create(rows, batch_size=1000)
    reseal(1)


def reseal(position: int) -> None:
    """Link all from a position on anew, under the key of the settings."""
    before = AuditSeal.objects.filter(position=position - 1).first()
    head, audit_id = (before.digest, before.audit_id) if before else ("", 0)
    AuditSeal.objects.filter(position__gte=position).delete()
    seals = []
    for row in AuditEntry.objects.filter(pk__gt=audit_id).order_by("pk").values(*chain.COLUMNS):
        sealed_at = row["at"] + dt.timedelta(seconds=30)
        head = chain.link(head, position, sealed_at, row)
        seals.append(AuditSeal(position=position, audit_id=row["id"], digest=head, sealed_at=sealed_at))
        position += 1
    AuditSeal.objects.bulk_create(seals, batch_size=1000)


def checkpoints_of(size: int) -> list[Checkpoint]:
    """Return what was kept elsewhere: a checkpoint of each row's time."""
    digests = AuditSeal.objects.order_by("position").values_list("position", "digest")
    return [Checkpoint(position, digest, "") for position, digest in digests]


def _row(number: int) -> AuditEntry:
    return AuditEntry(
        id=2 * number + 2,
        at=START + number * STEP,
        actor=f"staff:{number % 5}",
        action="order.unmasked",
        subject=f"FD{number}",
        reason="客户来电",
        details={"n": number, "名": ["一", number]},
        address="10.0.0.1",
        request_id=f"r{number}",
    )


def _any(rng: Random, size: int) -> int:
    return rng.randint(1, size)


def _entry(position: int) -> AuditEntry:
    return AuditEntry.objects.get(pk=2 * position)


def _seal(position: int) -> QuerySet[AuditSeal]:
    return AuditSeal.objects.filter(position=position)


# --- what is found by the chain alone ---------------------------------------------------------------


def edit(**change: object) -> Tamper:
    def tamper(rng: Random, size: int) -> int:
        position = _any(rng, size)
        AuditEntry.objects.filter(pk=2 * position).update(**change)
        return position

    return tamper


def delete_row(rng: Random, size: int) -> int:
    position = _any(rng, size)
    _entry(position).delete()
    return position


def delete_seal(rng: Random, size: int) -> int | None:
    position = rng.randint(1, size - 1)
    _seal(position).delete()
    return position


def delete_both(rng: Random, size: int) -> int:
    position = rng.randint(1, size - 1)
    _entry(position).delete()
    _seal(position).delete()
    return position


def close_the_gap(rng: Random, size: int) -> int:
    position = delete_both(rng, size)
    for seal in AuditSeal.objects.filter(position__gt=position).order_by("position"):
        AuditSeal.objects.filter(pk=seal.pk).update(position=seal.position - 1)
    return position


def renumber(rng: Random, size: int) -> int:
    position = _any(rng, size)
    AuditEntry.objects.filter(pk=2 * position).update(id=2 * position - 1)
    return position


def insert_unsealed(rng: Random, size: int) -> None:
    position = rng.randint(1, size - 10)
    AuditEntry.objects.create(id=2 * position + 1, at=START + position * STEP, actor="staff:9", action="x")


def insert_at_the_end_backdated(rng: Random, size: int) -> None:
    AuditEntry.objects.create(at=START + rng.randint(1, size - 10) * STEP, actor="staff:9", action="x")


def insert_with_forged_seal(rng: Random, size: int) -> int:
    row = AuditEntry.objects.create(at=START + size * STEP, actor="staff:9", action="x")
    digest = rng.randbytes(32).hex()
    AuditSeal.objects.create(position=size + 1, audit_id=row.pk, digest=digest, sealed_at=row.at)
    return size + 1


def insert_and_renumber_seals(rng: Random, size: int) -> int:
    position = _any(rng, size)
    for seal in AuditSeal.objects.filter(position__gte=position).order_by("-position"):
        AuditSeal.objects.filter(pk=seal.pk).update(position=seal.position + 1)
    row = AuditEntry.objects.create(id=2 * position - 1, at=START + position * STEP, actor="staff:9", action="x")
    digest = rng.randbytes(32).hex()
    AuditSeal.objects.create(position=position, audit_id=row.pk, digest=digest, sealed_at=row.at)
    return position


def _two(rng: Random, size: int) -> tuple[int, int]:
    first, second = sorted(rng.sample(range(1, size + 1), 2))
    return first, second


def swap_rows(rng: Random, size: int) -> int:
    first, second = _two(rng, size)
    free = 10 * size
    for pk, other in ((2 * first, free), (2 * second, 2 * first), (free, 2 * second)):
        AuditEntry.objects.filter(pk=pk).update(id=other)
    return first


def swap_contents(rng: Random, size: int) -> int:
    first, second = _two(rng, size)
    a, b = _entry(first), _entry(second)
    a.pk, b.pk = b.pk, a.pk
    a.save()
    b.save()
    return first


def swap_seals(rng: Random, size: int) -> int:
    first, second = _two(rng, size)
    for position, other in ((first, -1), (second, first), (-1, second)):
        _seal(position).update(position=other)
    return first


def swap_digests(rng: Random, size: int) -> int:
    first, second = _two(rng, size)
    a, b = (AuditSeal.objects.get(position=place).digest for place in (first, second))
    _seal(first).update(digest=b)
    _seal(second).update(digest=a)
    return first


def swap_what_seals_are_of(rng: Random, size: int) -> int:
    first, second = _two(rng, size)
    _seal(first).update(audit_id=-1)
    _seal(second).update(audit_id=2 * first)
    _seal(first).update(audit_id=2 * second)
    return first


def change_digest(rng: Random, size: int) -> int:
    position = _any(rng, size)
    _seal(position).update(digest=rng.randbytes(32).hex())
    return position


def shift_sealing(rng: Random, size: int) -> int:
    position = _any(rng, size)
    _seal(position).update(sealed_at=F("sealed_at") + rng.choice([-1, 1]) * dt.timedelta(seconds=rng.randint(1, 9999)))
    return position


def link_anew_with_a_guessed_key(rng: Random, size: int) -> int:
    position = edit(actor="staff:0x")(rng, size)
    assert position
    with override_settings(AUDIT_KEY=GUESSED):
        reseal(position)
    return position


ALONE: dict[str, Tamper] = {
    "edit the time forwards": edit(at=F("at") + dt.timedelta(microseconds=1)),
    "edit the time backwards": edit(at=F("at") - FURTHER),
    "edit the actor": edit(actor="staff:99"),
    "edit the action": edit(action="order.masked"),
    "edit the subject": edit(subject="FD"),
    "edit the reason": edit(reason="客户来电 "),
    "edit the details": edit(details={"n": -1}),
    "empty the details": edit(details={}),
    "edit the address": edit(address="10.0.0.2"),
    "edit the request's id": edit(request_id=""),
    **{
        function.__name__.replace("_", " "): function
        for function in (
            *(delete_row, delete_seal, delete_both, close_the_gap, renumber),
            *(insert_unsealed, insert_at_the_end_backdated, insert_with_forged_seal, insert_and_renumber_seals),
            *(swap_rows, swap_contents, swap_seals, swap_digests, swap_what_seals_are_of),
            *(change_digest, shift_sealing, link_anew_with_a_guessed_key),
        )
    },
}


# --- what takes a checkpoint ------------------------------------------------------------------------


def delete_the_last(rng: Random, size: int) -> int:
    return cut(size)


def cut_off_the_end(rng: Random, size: int) -> int:
    return cut(_any(rng, size))


def cut(position: int) -> int:
    AuditEntry.objects.filter(pk__gte=2 * position).delete()
    AuditSeal.objects.filter(position__gte=position).delete()
    return position


def delete_all(rng: Random, size: int) -> int:
    return cut(1)


def put_back_an_older_state_and_go_on(rng: Random, size: int) -> int:
    position = cut(_any(rng, size))
    for _ in range(rng.randint(1, 2 * size)):
        audit.record("staff:1", "innocent")
    audit.seal_pending()
    return position


def link_anew_with_the_key(rng: Random, size: int) -> int:
    position = edit(actor="staff:0x")(rng, size)
    assert position
    reseal(position)
    return position


def insert_and_link_anew_with_the_key(rng: Random, size: int) -> int:
    position = rng.randint(2, size)
    AuditEntry.objects.create(id=2 * position - 1, at=START + position * STEP, actor="staff:9", action="x")
    reseal(position)
    return position


def delete_and_link_anew_with_the_key(rng: Random, size: int) -> int:
    position = rng.randint(2, size)
    _entry(position).delete()
    reseal(position)
    return position


BY_CHECKPOINT: dict[str, Tamper] = {
    function.__name__.replace("_", " "): function
    for function in (
        *(delete_the_last, cut_off_the_end, delete_all, put_back_an_older_state_and_go_on),
        *(link_anew_with_the_key, insert_and_link_anew_with_the_key, delete_and_link_anew_with_the_key),
    )
}


def changed(text: str, rng: Random) -> str:
    """Return a checkpoint's file with one of its values changed."""
    content = json.loads(text)
    name = rng.choice(sorted(content))
    value = content[name]
    content[name] = value - rng.randint(1, 5) if name == "count" else _other_digit(str(value), rng)
    return json.dumps(content)


def _other_digit(value: str, rng: Random) -> str:
    place = rng.choice([index for index, letter in enumerate(value) if letter.isdigit()])
    return f"{value[:place]}{(int(value[place]) + rng.randint(1, 9)) % 10}{value[place + 1 :]}"
