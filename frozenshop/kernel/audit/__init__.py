"""The audit: what people and keys did, and the chain of seals that shows whether it was changed afterwards.

Whoever acts only inserts a row. A sealer beside them links the rows into a chain, in whatever order they were
committed, so that no business transaction waits for it. How it all holds together: docs/audit.md.
"""

from frozenshop.kernel.audit.chain import LOOK_BACK, SEALING_LEASE, link, pending, seal_pending
from frozenshop.kernel.audit.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from frozenshop.kernel.audit.recording import record
from frozenshop.kernel.audit.verifying import Fault, Verdict, verify

__all__ = [
    "LOOK_BACK",
    "SEALING_LEASE",
    "Checkpoint",
    "Fault",
    "Verdict",
    "link",
    "pending",
    "read_checkpoint",
    "record",
    "seal_pending",
    "verify",
    "write_checkpoint",
]
