"""What the shop's own systems are told, by the Standard Webhooks specification.

    publish (in the transaction of the change) → WebhookMessage → sending → the endpoint, again and again until it takes
    it, says 410, or the attempts are used up; a dead one is kept and can be replayed

At least once, in any order: the id of a message is the same at each attempt.
"""

from notifications.webhooks.publishing import Told, publish, publish_all

__all__ = ["Told", "publish", "publish_all"]
