"""Whether the database's schema still serves a version: `VERSION=… python3 -m deploy.release.schema COMMAND …`.

A release works on its own schema and on that of the release after it (docs/adr/0011), on no later one. COMMAND begins a
process with the program's settings, such as `docker compose run --rm --no-deps migrate`; `python3 -c …` is added to it.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence

from deploy.release.ingress import ReleaseError, run
from deploy.releases import FOLDER, Release

APPLIED = """
import json, os, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "frozenshop.settings")
django.setup()
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
newest = {}
for app, name in sorted(MigrationRecorder(connection).applied_migrations()):
    newest[app] = name
print("APPLIED", json.dumps(newest))
"""


def releases() -> list[Release]:
    """Return all that were written down, oldest first."""
    found = [Release(**json.loads(path.read_text(encoding="utf-8"))) for path in FOLDER.glob("*.json")]
    return sorted(found, key=lambda release: _number(release.version))


def refusal(version: str, applied: Mapping[str, str], known: Sequence[Release]) -> str:
    """Return why the version must not run on a schema with these newest migrations, or ""."""
    if version not in {release.version for release in known}:
        return f"{version} is none of the releases in deploy/releases: whether the schema serves it isn't known."
    after = [release for release in known if _number(release.version) > _number(version)]
    if not after:
        return ""
    beyond = [f"{app}.{applied[app]}" for app, name in after[0].migrations.items() if applied.get(app, "") > name]
    if not beyond:
        return ""
    return f"{', '.join(beyond)} came after {after[0].version}, the last release whose schema serves {version}."


def _number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def main(command: Sequence[str]) -> int:
    version = os.environ.get("VERSION", "")
    if not command or not version:
        print("Usage: VERSION=1.2.3 python3 -m deploy.release.schema COMMAND …", file=sys.stderr)
        return 2
    try:
        said = run([*command, "python3", "-c", APPLIED], seconds=60, what="The schema can't be asked")
        applied = json.loads(said.split("APPLIED", 1)[1])
    except (ReleaseError, IndexError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    reason = refusal(version, applied, releases())
    print(reason or f"The schema serves {version}.", file=sys.stderr if reason else sys.stdout)
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
