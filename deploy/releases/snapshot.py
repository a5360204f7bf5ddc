"""`python -m deploy.releases.snapshot 0.2.0`: write down what is released now, from the code of this revision."""

import inspect
import json
import re
import subprocess
import sys
from typing import Any

import django
from django.db.migrations.loader import MigrationLoader
from django.utils.module_loading import autodiscover_modules

from deploy.releases import FOLDER, ROOT, Task

APPS = ("kernel", "orders", "logistics", "notifications", "api", "backoffice")


def main(arguments: list[str]) -> str | None:
    """Return what is wrong, or None."""
    version = arguments[0] if len(arguments) == 1 else ""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return "Usage: python -m deploy.releases.snapshot 1.2.3"
    if (path := FOLDER / f"{version}.json").exists():
        return f"{path.relative_to(ROOT)} is there already: a release is never changed."
    if _git("status", "--porcelain"):
        return "Commit first: the snapshot names a revision, and must be of it."
    text = json.dumps(describe(version, _git("rev-parse", "HEAD")), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"Written: {path.relative_to(ROOT)}. Commit it, with the version's heading in CHANGELOG.md.")
    return None


def describe(version: str, revision: str) -> dict[str, Any]:
    return {"version": version, "revision": revision, "migrations": migrations(), "tasks": tasks()}


def migrations() -> dict[str, str]:
    """Return the newest migration of each of our apps."""
    leaves = MigrationLoader(None, ignore_no_migrations=True).graph.leaf_nodes()
    return {app: name for app, name in leaves if app in APPS}


def tasks() -> dict[str, Task]:
    """Return what each consumer of the outbox takes."""
    from frozenshop.kernel.outbox import consuming

    autodiscover_modules("tasks")
    known = {topic: entry[0] for topic, entry in consuming._consumers.items()}
    ours = {topic: one for topic, one in known.items() if ".tests." not in one.__module__}
    return {topic: keywords(ours[topic]) for topic in sorted(ours)}


def keywords(consumer: Any) -> Task:
    """Return the keywords of a consumer, without the effect that some are given first."""
    found = inspect.signature(consumer).parameters.values()
    return {
        "**" if one.kind == one.VAR_KEYWORD else one.name: {
            "type": inspect.formatannotation(one.annotation).replace("collections.abc.", "").replace("typing.", ""),
            "required": one.kind != one.VAR_KEYWORD and one.default is one.empty,
        }
        for one in found
        if one.name != "effect"
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    django.setup()
    sys.exit(main(sys.argv[1:]))
