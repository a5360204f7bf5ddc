"""Lets every task of a version fail, where that is its fault."""

from django.apps import AppConfig

from deploy.release import faults


class FaultyConfig(AppConfig):
    name = "deploy.release"
    label = "faulty"

    def ready(self) -> None:
        if faults.FAULT == "tasks":
            from frozenshop.kernel.outbox import consuming

            consuming._run = _fail


def _fail(message: object) -> None:
    raise RuntimeError("a fault that was planted")
