"""What the usual wordings of Chinese carriers mean: rules in order, the first that holds decides.

Written from the development parts of the sample sentences and from general knowledge of the trade. The patterns read
what `cleaning.clean` leaves of a sentence.
"""

from logistics.models import Reason, ShipmentStatus
from logistics.texts import keeping
from logistics.texts.byways import BYWAYS
from logistics.texts.deliveries import HANDED_OVER, SIGNED
from logistics.texts.dialects import own_words
from logistics.texts.grammar import Reading, first
from logistics.texts.moving import GOES_ON, MOVING
from logistics.texts.troubles import EXPLICIT, reason_of, trouble

R, S = Reason, ShipmentStatus


def read_by_rules(text: str, carrier_code: str = "") -> Reading | None:
    """Return what a cleaned sentence says by the rules, an abstention where two readings are near, else None."""
    if found := first(own_words(carrier_code), text):
        return found
    if found := first(BYWAYS, text):
        return _with_reason(found, text)
    if found := first(keeping.PLACED, text):
        return found
    put_in = keeping.PUT_IN.search(text) is not None
    if not keeping.asks_to_fetch(text) and (found := first(SIGNED, text)):
        return _with_reason(found, text)
    if EXPLICIT.search(text) and not put_in and not first(GOES_ON, text):
        return trouble(text)
    return _handed_over(text, put_in=put_in) or _under_way(text)


def _handed_over(text: str, *, put_in: bool) -> Reading | None:
    if found := keeping.waits(text, put_in=put_in):
        return found
    if put_in:
        return keeping.kept(text)
    if found := first(HANDED_OVER, text) or keeping.taken(text):
        return found
    return keeping.kept(text) if reason_of(text) is None else None


def _under_way(text: str) -> Reading | None:
    return first(GOES_ON, text) or trouble(text) or keeping.kept(text) or first(MOVING, text)


def _with_reason(found: Reading, text: str) -> Reading:
    if found.reason or found.status not in (S.RETURNING, S.RETURNED, S.DELIVERED, S.EXCEPTION):
        return found
    if found.status == S.DELIVERED:
        return Reading(found.status, R.LOCKER if keeping.names_a_keeper(text) else "", found.confidence)
    reason = R.INTERCEPTED if "拦截" in text else reason_of(text) or ""
    return Reading(found.status, reason, found.confidence)
