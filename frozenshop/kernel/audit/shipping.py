"""A checkpoint each minute, and its way off the machine: by the log, by a folder that is carried away, to a receiver.

It is made only if what was added since the former one is whole. So it stays away once the chain was broken: this,
its log line `audit.broken` and `doctor` tell the same.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import structlog
from django.conf import settings

from frozenshop.kernel import http
from frozenshop.kernel.audit.chain import last_seal
from frozenshop.kernel.audit.checkpoints import PATTERN, Checkpoint, newest_of, read_checkpoint, write_checkpoint
from frozenshop.kernel.audit.verifying import Fault, Walk
from frozenshop.kernel.clock import now
from frozenshop.kernel.health import Finding
from frozenshop.kernel.models import AuditSeal

logger = structlog.get_logger(__name__)

TAIL = 5000
"""How much of the end is looked at where no former checkpoint is at hand."""


def checkpoint() -> str:
    """Make a checkpoint and send it off; return its text, or nothing if the chain is broken. Safe to repeat.

    Raises OSError if the folder takes none, ServiceError if the receiver doesn't; the log line is out by then.
    """
    walk, fault = _since_the_former()
    if fault:
        logger.error("audit.broken", audit_id=fault.audit_id, position=fault.position, reason=fault.reason)
        return ""
    text = write_checkpoint(walk.count, walk.head)
    # In one word, which nothing on the way of a log line changes; a number among its letters is no phone.
    logger.info("audit.checkpoint", count=walk.count, checkpoint=base64.urlsafe_b64encode(text.encode()).decode())
    if settings.AUDIT_CHECKPOINT_DIR:
        _keep(Path(settings.AUDIT_CHECKPOINT_DIR), text)
    if settings.AUDIT_CHECKPOINT_URL:
        http.call("audit_checkpoint", "POST", settings.AUDIT_CHECKPOINT_URL, json=json.loads(text), timeout=10)
    return text


def findings() -> Iterator[Finding]:
    """Name the end of a chain that isn't whole, for `doctor`; the whole of it is looked at by `verify_audit`."""
    _walk, fault = _since_the_former()
    if fault:
        yield Finding("audit", f"审计链在第 {fault.position} 位不完好：{fault.reason}（用 verify_audit 核对全部）")


def _since_the_former() -> tuple[Walk, Fault | None]:
    former = _former()
    if former is None:
        walk = _from_the_tail()
        return walk, walk.to_the_end()
    before = AuditSeal.objects.filter(position=former.count).values_list("digest", flat=True).first() or ""
    walk = Walk((former,), former.count, former.head)
    if former.count and before != former.head:
        return walk, Fault(None, former.count, f"与检查点 {former.name} 不符，或在它之前被截断")
    return walk, walk.to_the_end()


def _from_the_tail() -> Walk:
    last = last_seal()
    start = AuditSeal.objects.filter(position=last.position - TAIL).first() if last else None
    return Walk((), start.position, start.digest) if start else Walk()


def _former() -> Checkpoint | None:
    """Return the longest of the newest few in the folder; one that can't be read says nothing here."""
    if not settings.AUDIT_CHECKPOINT_DIR:
        return None
    return newest_of(_readable(sorted(Path(settings.AUDIT_CHECKPOINT_DIR).glob(PATTERN))[-3:]))


def _readable(files: list[Path]) -> Iterator[Checkpoint]:
    for file in files:
        try:
            yield read_checkpoint(file.read_text(encoding="utf-8"), file.name)
        except (OSError, ValueError):
            logger.error("audit.bad_checkpoint", file=file.name)


def _keep(folder: Path, text: str) -> None:
    """Write the file whole or not at all, and let the oldest go."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"audit-{now():%Y%m%dT%H%M%S%fZ}.json"
    half = folder / f".{name}.tmp"
    half.write_text(text, encoding="utf-8")
    half.replace(folder / name)
    for file in sorted(folder.glob(PATTERN))[: -settings.AUDIT_CHECKPOINT_KEEP]:
        file.unlink(missing_ok=True)
