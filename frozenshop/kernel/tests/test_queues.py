"""Each kind of work waits in a queue of its own, declared before anything is sent to it."""

import os
import uuid

import pytest
from kombu import Connection, Exchange, Queue

from frozenshop.celery import app
from frozenshop.kernel.outbox.relay import Relay
from frozenshop.kernel.tests.processes import delete_queue

pytestmark = pytest.mark.skipif(
    not os.environ.get("CELERY_BROKER_URL", "").startswith("amqp"), reason="the file broker has one queue"
)


def test_every_task_goes_to_a_queue_that_is_declared(settings):
    declared = {queue.name for queue in settings.CELERY_TASK_QUEUES}
    app.loader.import_default_modules()
    routed = {
        name: app.amqp.router.route({}, name)["queue"].name for name in app.tasks if not name.startswith("celery.")
    }
    assert set(routed.values()) == declared
    assert routed["logistics.poll_due"].endswith(".tracking")
    assert routed["notifications.send_due"].endswith(".messages")


@pytest.mark.services
@pytest.mark.enable_socket
def test_what_is_sent_before_a_worker_was_ever_there_is_kept(settings):
    own = f"frozenshop_test_{uuid.uuid4().hex[:8]}"
    arguments = {"x-queue-type": "quorum"}
    exchange = Exchange(own, type="topic")
    settings.CELERY_TASK_QUEUES = [
        Queue(own + kind, exchange, routing_key=own + kind, queue_arguments=arguments)
        for kind in ("", ".tracking", ".messages")
    ]
    relay = Relay(app)
    try:
        producer = relay._open_producer()
        producer.publish({"x": 1}, exchange=own, routing_key=f"{own}.messages", mandatory=True)
        with Connection(os.environ["CELERY_BROKER_URL"]) as broker, broker.channel() as channel:
            assert channel.queue_declare(f"{own}.messages", passive=True).message_count == 1
    finally:
        relay._reset()
        delete_queue(os.environ["CELERY_BROKER_URL"], own)
