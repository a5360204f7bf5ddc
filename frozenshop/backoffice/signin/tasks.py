"""What of signing in has served its time."""

from frozenshop.backoffice.signin import lockout, sessions
from frozenshop.kernel import outbox


@outbox.consumer("backoffice.purge_sign_in", transactional=False)
def purge_sign_in(effect: outbox.Effect, slot: str = "") -> None:
    """Delete sessions that ran out and counts of failures that hold nobody off any more."""
    sessions.purge()
    lockout.purge()
