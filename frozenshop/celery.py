"""The Celery application. Only the relay, the worker and beat talk to the broker."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "frozenshop.settings")

app = Celery("frozenshop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
