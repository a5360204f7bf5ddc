"""The project package: settings, kernel, API and back office."""

from frozenshop.celery import app as celery_app

__all__ = ["celery_app"]
