"""A worker may be done with a message before the relay has noted that it was sent: neither may break the other."""

import datetime as dt
import threading
import time

import pytest
from django.db import connection, transaction

from frozenshop.kernel import clock
from frozenshop.kernel.models import OutboxMessage
from frozenshop.kernel.outbox import relay

WAITING = (
    "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND trx_mysql_thread_id = %s"
)


def until_it_waits(thread_id: int) -> None:
    deadline = time.monotonic() + 20
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(WAITING, [thread_id])
            if cursor.fetchone()[0]:
                return
            time.sleep(0.2)  # asked more often, the server tells the same from its cache
    pytest.fail("it does not wait")


@pytest.mark.services("mysql")
@pytest.mark.django_db(transaction=True)
def test_noting_what_was_sent_and_closing_it_do_not_deadlock():
    lease = clock.now() + dt.timedelta(seconds=30)
    OutboxMessage.objects.bulk_create(OutboxMessage(topic="t", status="done") for _ in range(200))
    message = OutboxMessage.objects.create(topic="t", claimed_until=lease)
    known, faults = [], []

    def note() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT CONNECTION_ID()")
                known.append(cursor.fetchone()[0])
            begun.set()
            relay.mark_sent([message.pk], lease)
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    begun, other = threading.Event(), threading.Thread(target=note)
    with transaction.atomic():
        row = OutboxMessage.objects.filter(pk=message.pk)
        assert row.select_for_update().values_list("pk")
        other.start()
        begun.wait(10)
        until_it_waits(known[0])
        row.update(status="done", done_at=clock.now(), claimed_until=None)
    other.join(20)
    assert faults == []
    assert row.get().status == "done"
