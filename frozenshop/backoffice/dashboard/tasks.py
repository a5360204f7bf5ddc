"""The scheduled counting of the index page's figures."""

from frozenshop.backoffice.dashboard import refreshing
from frozenshop.backoffice.dashboard.models import FigureKind
from frozenshop.kernel import outbox


@outbox.consumer("backoffice.count_orders", transactional=False, time_limit=300)
def count_orders(effect: outbox.Effect, **payload: str) -> None:
    """Count orders by step, what arrives today and what is silent; with days left it asks for another run."""
    for kind in (FigureKind.ARRIVING, FigureKind.STALE):
        refreshing.refresh_board(kind)
    progress = refreshing.refresh(FigureKind.STEPS)
    with effect:
        if progress.left:
            outbox.enqueue("backoffice.count_orders", payload)


@outbox.consumer("backoffice.count_passages", transactional=False, time_limit=600)
def count_passages(effect: outbox.Effect, **payload: str) -> None:
    """Count deliveries by carrier and lane, money held back and who wasn't told; asks for another run likewise."""
    for kind in (FigureKind.FROZEN, FigureKind.UNTOLD):
        refreshing.refresh_board(kind)
    progress = refreshing.refresh(FigureKind.PASSAGES)
    with effect:
        if progress.left:
            outbox.enqueue("backoffice.count_passages", payload)


@outbox.consumer("backoffice.heal_figures")
def heal_figures(slot: str) -> None:
    """Have the last days counted anew, for changes that no history tells."""
    refreshing.heal()
