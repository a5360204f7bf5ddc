from django.db import transaction

from frozenshop.kernel import logstore, outbox
from frozenshop.kernel.models import AuditEntry
from frozenshop.kernel.tests.effects.apps import step


def write(number: int) -> None:
    AuditEntry.objects.create(actor="test", action="effect", subject=str(number))
    logstore.write(logstore.Kind.CALL, service="effects", what="effect", outcome="ok", subject=f"S{number}")
    step("worker-wrote")


@outbox.consumer("effects.write")
def write_in_transaction(number: int) -> None:
    write(number)


@outbox.consumer("effects.call_then_write", transactional=False)
def call_then_write(effect: outbox.Effect, number: int) -> None:
    step("worker-called")
    with effect:
        write(number)


def enqueue(count: int) -> None:
    topics = ("effects.write", "effects.call_then_write")
    for first in range(0, count, 50):
        with transaction.atomic():
            for number in range(first, min(first + 50, count)):
                outbox.enqueue(topics[number % 2], {"number": number}, key=f"effect:{number}")
