"""The night, in which nobody's phone rings for what can wait."""

import datetime as dt

from frozenshop.kernel import clock

FROM, UNTIL = dt.time(22), dt.time(8)


def over_at(instant: dt.datetime) -> dt.datetime:
    """Return when somebody may be told who would be told at `instant`: then, or when the night is over."""
    local = clock.shanghai(instant)
    if UNTIL <= local.time() < FROM:
        return instant
    morning = local.date() + dt.timedelta(days=local.time() >= FROM)
    return dt.datetime.combine(morning, UNTIL, clock.SHANGHAI).astimezone(dt.UTC)
