"""The kernel's own background work."""

from celery import shared_task

from frozenshop.kernel import audit, idempotency, jobs, logstore, nonces, outbox
from frozenshop.kernel.audit import shipping, testimony


@shared_task(name="kernel.tick", ignore_result=True)
def tick(name: str) -> None:
    """What a beat without our scheduler sends; see `beat.LedgerScheduler`."""
    if job := jobs.by_name(name):
        jobs.tick(job)


@outbox.consumer("kernel.seal_audit", transactional=False)
def seal_audit(effect: outbox.Effect, slot: str) -> None:
    audit.seal_pending()


@outbox.consumer("kernel.audit_checkpoint", transactional=False)
def audit_checkpoint(effect: outbox.Effect, slot: str) -> None:
    testimony.seal_hours()
    shipping.checkpoint()


@outbox.consumer("kernel.rearm", transactional=False)
def rearm(effect: outbox.Effect, slot: str) -> None:
    outbox.rearm()


@outbox.consumer("kernel.purge", transactional=False)
def purge(effect: outbox.Effect, slot: str) -> None:
    """Delete what has served its time, in short transactions."""
    outbox.purge_done()
    jobs.purge()
    idempotency.purge()
    nonces.purge()
    logstore.purge()
