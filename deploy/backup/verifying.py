"""Is what the repository holds whole, and could it be restored: asked without restoring it."""

from . import binlogs, manifest, restoring
from .errors import Failed
from .full import DATABASE, NAMES
from .repository import Repository, Snapshot


def verify(repository: Repository, percent: int) -> list[str]:
    """Return a sentence for each fault. `percent` of the data are read again, beside the structure of all."""
    faults = []
    try:
        repository.check(percent)
    except Failed as error:
        faults.append(str(error))
    try:
        snapshots = repository.snapshots()
    except Failed as error:
        return [str(error)]
    fulls = [one for one in snapshots if manifest.TAG in one.tags]
    for one in fulls:
        faults += [f"{one.run}: {fault}" for fault in _faults(repository, one, snapshots)]
    return faults if fulls else [*faults, "there is no full backup yet"]


def _faults(repository: Repository, full: Snapshot, snapshots: list[Snapshot]) -> list[str]:
    faults = []
    for refuse in (_refuse_lost_parts, _refuse_lost_logs):
        try:
            refuse(repository, full, snapshots)
        except Failed as error:
            faults.append(str(error))
    return faults


def _refuse_lost_parts(repository: Repository, full: Snapshot, snapshots: list[Snapshot]) -> None:
    made = manifest.read(repository, full)
    restoring.open_keys(repository, made)
    for name, saved in made.parts.items():
        if not any(one.id.startswith(saved.snapshot) for one in snapshots):
            raise Failed(f"the {name} of the backup is gone")
    restoring.refuse_other_size(repository, made.part(DATABASE), NAMES[made.method])


def _refuse_lost_logs(repository: Repository, full: Snapshot, snapshots: list[Snapshot]) -> None:
    chain = [one for one in snapshots if binlogs.TAG in one.tags and one.run == full.run]
    if not chain:
        raise Failed("no binary log was shipped after it")
    shipped = binlogs.read_shipped(repository.text(chain[-1].id, binlogs.TOLD))
    restoring.refuse_incomplete(shipped, repository.names(chain[-1].id))
