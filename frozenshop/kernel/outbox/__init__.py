"""Durable background work: a row written with the business change, closed with its effect.

    enqueue → row PENDING → relay (a process of its own) → row SENT → consumer → row DONE, or PENDING again, or DEAD

The broker may lose or repeat a message: the row is what counts.
"""

from frozenshop.kernel.outbox.consuming import Effect, Permanent, consumer, deliver
from frozenshop.kernel.outbox.ledger import enqueue, enqueue_many, purge_done, rearm, replay

__all__ = ["Effect", "Permanent", "consumer", "deliver", "enqueue", "enqueue_many", "purge_done", "rearm", "replay"]
