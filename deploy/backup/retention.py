"""Rotation: restic's policy says which full backups stay; what belongs to none of them goes."""

from collections.abc import Sequence

from . import binlogs, manifest
from .repository import Repository, Snapshot


def rotate(repository: Repository, policy: Sequence[str]) -> None:
    repository.unlock()
    repository.forget_old(manifest.TAG, policy)
    repository.forget(superfluous(repository.snapshots()))
    repository.prune()


def superfluous(snapshots: Sequence[Snapshot]) -> list[str]:
    """Return what no kept backup needs: parts of runs without manifest, and all but the newest snapshot of a chain.

    Snapshots of a run that is newer than every manifest are spared: it may be under way.
    """
    kept = {snapshot.run for snapshot in snapshots if manifest.TAG in snapshot.tags}
    newest = {snapshot.run: snapshot.id for snapshot in snapshots if binlogs.TAG in snapshot.tags}
    return [
        snapshot.id
        for snapshot in snapshots
        if (snapshot.run not in kept and snapshot.run <= max(kept, default=""))
        or (binlogs.TAG in snapshot.tags and snapshot.id != newest[snapshot.run])
    ]
