"""The scheduled forgetting of searches."""

from frozenshop.backoffice.finding import recent
from frozenshop.kernel import outbox


@outbox.consumer("backoffice.purge_searches", transactional=False)
def purge_searches(effect: outbox.Effect, slot: str = "") -> None:
    """Delete what people searched thirty days ago and more."""
    recent.purge()
