"""`python3 -m deploy.backup COMMAND`: docs/backup.md. Exit 0 done, 1 failed with a sentence, 2 wrong use."""

import argparse
import datetime as dt
import signal
import sys
import time
import zoneinfo
from collections.abc import Callable
from pathlib import Path

from . import binlogs, full, manifest, mariadb, restoring, settings, status, verifying
from .errors import Failed, WrongUse
from .repository import Repository

SHOP_TIME = zoneinfo.ZoneInfo("Asia/Shanghai")
LATEST = "latest"


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given = _parser().parse_args(arguments)
    try:
        work: Callable[[argparse.Namespace], int] = given.work
        return work(given)
    except WrongUse as error:
        print(f"backup: {error}", file=sys.stderr)
        return 2
    except Failed as error:
        print(f"backup: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"backup: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m deploy.backup", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("init", help="make an empty repository, once").set_defaults(work=_init)
    commands.add_parser("full", help="back up everything, then rotate").set_defaults(work=_full)
    ship = commands.add_parser("binlog", help="ship what was written since")
    ship.add_argument("--every", type=_seconds, metavar="SECONDS", help="again and again, until stopped")
    ship.set_defaults(work=_binlog)
    commands.add_parser("list", help="what there is").set_defaults(work=_list)
    check = commands.add_parser("verify", help="is it all there and whole; exit 1 if not")
    check.add_argument("--read", type=_percent, default=0, metavar="PERCENT", help="of the data to read again")
    check.set_defaults(work=_verify)
    _add_restore(commands.add_parser("restore", help="restore to a chosen second"))
    return parser


def _add_restore(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(work=_restore)
    instant = "YYYY-MM-DD HH:MM:SS in Shanghai, or with an offset: all that was committed before; or `latest`"
    parser.add_argument("--to", required=True, type=_instant, metavar="INSTANT", help=instant)
    parser.add_argument("--keys", required=True, type=Path, metavar="FILE", help="where the four keys are written")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--datadir", type=Path, metavar="DIR", help="a new data folder, of a physical backup")
    where.add_argument("--into", metavar="URL", help="an empty database, of a logical backup: mysql://…")
    parser.add_argument("--run", default="", metavar="ID", help="this full backup (default: the newest that fits)")
    parser.add_argument("--files", type=Path, metavar="DIR", help="where the files of VAR_DIR are written")
    parser.add_argument("--mongodb", metavar="URL", help="an empty MongoDB database for the log store")


def _init(given: argparse.Namespace) -> int:
    Repository(settings.target()).init()
    print("an empty repository was made: keep BACKUP_PASSWORD and BACKUP_KEYS_PASSPHRASE elsewhere, in two places")
    return 0


def _full(given: argparse.Namespace) -> int:
    repository = Repository(settings.target())
    with mariadb.connected(settings.source(), settings.client()) as server:
        made = full.back_up(server, repository)
    size = sum(part.size for part in made.parts.values())
    print(f"full backup {made.run}: {size / 1e6:.1f} MB, log {made.log} at {made.position}")
    return 0


def _binlog(given: argparse.Namespace) -> int:
    repository = Repository(settings.target())
    account, client = settings.source(), settings.client()
    while True:
        started = time.monotonic()
        try:
            with mariadb.connected(account, client) as server:
                shipped = binlogs.ship(server, repository)
                size = sum(shipped.logs.values())
                status.record(server, status.BINLOG, shipped.until, f"{len(shipped.logs)} logs, {size} bytes")
            print(f"shipped until {shipped.until:%Y-%m-%d %H:%M:%S} UTC: {len(shipped.logs)} logs, {size} bytes")
        except Failed as error:
            if not given.every:
                raise
            # The next minute tries again; that the age grows is what the alert is about.
            print(f"backup: {error}", file=sys.stderr, flush=True)
        if not given.every:
            return 0
        sys.stdout.flush()
        time.sleep(max(given.every - (time.monotonic() - started), 1))


def _list(given: argparse.Namespace) -> int:
    repository = Repository(settings.target())
    snapshots = repository.snapshots()
    chains = {one.run: one.at for one in snapshots if binlogs.TAG in one.tags}
    fulls = [one for one in snapshots if manifest.TAG in one.tags]
    for one in fulls:
        reach = f"{chains[one.run]:%Y-%m-%d %H:%M:%S}" if one.run in chains else "nowhere"
        print(f"{one.run}  of {one.at:%Y-%m-%d %H:%M:%S} UTC, binary logs reach to {reach}")
    return 0 if fulls else 1


def _verify(given: argparse.Namespace) -> int:
    faults = verifying.verify(Repository(settings.target()), given.read)
    for fault in faults:
        print(f"backup: {fault}", file=sys.stderr)
    if not faults:
        print("all backups are whole")
    return 1 if faults else 0


def _restore(given: argparse.Namespace) -> int:
    repository = Repository(settings.target())
    into = settings.account(given.into, "--into") if given.into else None
    chosen = restoring.plan(repository, given.to, given.run)
    if (chosen.manifest.method == "logical") != bool(into):
        raise WrongUse(
            f"the backup {chosen.manifest.run} is {chosen.manifest.method}: "
            "--datadir is for physical ones, --into for logical ones"
        )
    if given.keys.exists():
        raise WrongUse(f"{given.keys} is there already")
    keys = restoring.open_keys(repository, chosen.manifest)
    restoring.say(f"full backup {chosen.manifest.run}, to {chosen.reached:%Y-%m-%d %H:%M:%S} UTC")
    if given.mongodb:
        restoring.load_logs(repository, chosen.manifest, given.mongodb)
    if given.files:
        restoring.get_files(repository, chosen.manifest, given.files)
    if into:
        with mariadb.connected(into, settings.client()) as server:
            restoring.into_server(repository, chosen, server)
    else:
        restoring.into_folder(repository, chosen, given.datadir)
    restoring.write_keys(keys, given.keys)
    restoring.say("restored")
    return 0


def _instant(text: str) -> dt.datetime | None:
    if text == LATEST:
        return None
    try:
        instant = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no instant like 2026-11-23 12:34:56") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=SHOP_TIME)


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number of seconds, such as 60")
    return int(text)


def _percent(text: str) -> int:
    if not text.isdecimal() or int(text) > 100:
        raise argparse.ArgumentTypeError("a number from 0 to 100")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
