"""`manage.py relay`: publish what the outbox holds, until SIGTERM or SIGINT."""

import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from frozenshop.celery import app
from frozenshop.kernel import metrics
from frozenshop.kernel.metrics import components
from frozenshop.kernel.outbox.relay import Relay


class Command(BaseCommand):
    help = "把待办消息发给任务队列（长期运行，可以同时运行多个）"

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()

        def end(signum: int, frame: FrameType | None) -> None:
            stop.set()

        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, end)
        metrics.serve(components.of_relay)
        Relay(app).run(stop)
