"""The background work of the back office: stretches of batches, and what becomes of old ones."""

from frozenshop.backoffice.batches import expiry, running
from frozenshop.backoffice.dashboard import tasks as dashboard_tasks
from frozenshop.backoffice.finding import tasks as finding_tasks
from frozenshop.backoffice.signin import tasks as signin_tasks
from frozenshop.kernel import outbox

__all__ = ["dashboard_tasks", "expire_batches", "finding_tasks", "signin_tasks", "watch_batches"]


@outbox.consumer("backoffice.watch_batches", transactional=False)
def watch_batches(effect: outbox.Effect, slot: str = "") -> None:
    """End batches that nobody works at any more."""
    running.end_stranded()


@outbox.consumer("backoffice.expire_batches", transactional=False)
def expire_batches(effect: outbox.Effect, slot: str = "") -> None:
    """Delete files and sealed rows of batches whose time is over."""
    expiry.expire()
