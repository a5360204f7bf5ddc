"""One server: two slots of which one serves. nginx spreads the requests by a file that this module writes.

The file's first line is the state. It is replaced as a whole and checked by nginx before it is loaded; nginx lets
requests under way finish under the old one.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from deploy.release.ingress import ReleaseError, State, Track, run

MARK = "# release: "
UNKNOWN = "unknown"
"""The version in the file as it comes with the program."""
COMMAND_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Slot:
    """The web processes of a slot, as nginx reaches them, and the labels of all its processes in Prometheus."""

    servers: Sequence[str]
    selector: str


@dataclass(frozen=True, slots=True)
class Nginx:
    """`start` gets SLOT and VERSION and ends once the slot is ready; `stop` gets SLOT.

    `rest` brings what stands in no slot, such as relay and beat, to VERSION; `rollback_check` says whether the schema
    serves VERSION.

    `key` says which requests belong together, so that a person meets one version only.
    """

    file: Path
    reload: Sequence[str]
    test: Sequence[str]
    start: Sequence[str]
    stop: Sequence[str]
    slots: dict[str, Slot]
    rest: Sequence[str] = ()
    rollback_check: Sequence[str] = ()
    key: str = "$remote_addr"
    start_seconds: float = 120

    def __post_init__(self) -> None:
        if len(self.slots) != 2:
            raise ReleaseError(f"[nginx.slots]: two slots are needed, not {len(self.slots)}.")


@dataclass(frozen=True, slots=True)
class Written:
    """The state, and which slot is the stable one."""

    state: State
    slot: str


class NginxIngress:
    def __init__(self, settings: Nginx) -> None:
        self._nginx = settings

    def state(self) -> State:
        return self._read().state

    def install(self, version: str) -> None:
        """Write the file for a server on which `version` is brought up for the first time, in the first slot."""
        if self._nginx.file.exists() and self.state().stable != UNKNOWN:
            raise ReleaseError(f"{self._nginx.file} knows already what runs: {self.state().written()}")
        self._write(Written(State(version), next(iter(self._nginx.slots))))

    def begin(self, version: str) -> None:
        now = self._read()
        weight = now.state.weight if now.state.canary == version else 0
        self._load(replace(now, state=replace(now.state, canary=version, weight=weight)))
        self._start(self._other(now.slot), version)

    def weigh(self, percent: int) -> None:
        now = self._read()
        self._load(replace(now, state=replace(now.state, weight=percent)))

    def promote(self) -> None:
        now = self._read()
        if now.state.canary:
            self._load(Written(State(now.state.canary, former=now.state.stable), self._other(now.slot)))

    def withdraw(self) -> None:
        now = self._read()
        self._load(replace(now, state=replace(now.state, weight=0, canary=None)))

    def restore(self, *, force: bool) -> None:
        now = self._read()
        former = now.state.former
        if former in (None, UNKNOWN):
            raise ReleaseError("There is no former version to go back to.")
        assert former is not None
        if self._nginx.rollback_check and not force:
            self._run("The schema no longer serves the former version", self._nginx.rollback_check, VERSION=former)
        self._start(self._other(now.slot), former)
        self._load(Written(State(former), self._other(now.slot)))

    def selector(self, track: Track) -> str:
        stable = self._read().slot
        return self._nginx.slots[stable if track == "stable" else self._other(stable)].selector

    def settle(self) -> None:
        now = self._read()
        if now.state.canary:
            return
        self._stop(self._other(now.slot))
        if self._nginx.rest and now.state.stable != UNKNOWN:
            what = "relay and beat did not follow"
            self._run(what, self._nginx.rest, seconds=self._nginx.start_seconds, VERSION=now.state.stable)

    def _other(self, slot: str) -> str:
        return next(name for name in self._nginx.slots if name != slot)

    def _start(self, slot: str, version: str) -> None:
        what = f"{version} did not start in slot {slot}"
        self._run(what, self._nginx.start, seconds=self._nginx.start_seconds, SLOT=slot, VERSION=version)

    def _stop(self, slot: str) -> None:
        self._run(f"Slot {slot} did not stop", self._nginx.stop, seconds=self._nginx.start_seconds, SLOT=slot)

    def _read(self) -> Written:
        try:
            first = self._nginx.file.read_text(encoding="utf-8").split("\n", 1)[0]
            given = json.loads(first.removeprefix(MARK))
            return Written(State(**given["state"]), given["slot"])
        except FileNotFoundError:
            raise ReleaseError(f"{self._nginx.file} is not there: `release install VERSION` writes it.") from None
        except (ValueError, TypeError, KeyError) as error:
            raise ReleaseError(f"{self._nginx.file}: its first line is not the state of a release ({error}).") from None

    def _load(self, wanted: Written) -> None:
        """Have nginx go by a new file, or keep the old one where nginx doesn't take it."""
        before = self._nginx.file.read_text(encoding="utf-8")
        self._write(wanted)
        try:
            self._run("nginx refuses the new file", self._nginx.test)
        except ReleaseError:
            _replace(self._nginx.file, before)
            raise
        self._run("nginx was not reloaded", self._nginx.reload)

    def _write(self, wanted: Written) -> None:
        _replace(self._nginx.file, self.render(wanted))

    def _run(self, what: str, command: Sequence[str], *, seconds: float = COMMAND_SECONDS, **variables: str) -> None:
        run(command, seconds=seconds, what=what, **variables)

    def render(self, wanted: Written) -> str:
        other, weight = self._other(wanted.slot), wanted.state.weight
        share = [f"    {weight}% {other};"] if 0 < weight < 100 else []
        rest = other if weight == 100 else wanted.slot
        lines = [
            MARK + json.dumps({"state": asdict(wanted.state), "slot": wanted.slot}),
            "# Written by `python3 -m deploy.release`; nginx.conf includes it inside http { }.",
            f'split_clients "{self._nginx.key}" $release_slot {{',
            *share,
            f"    * {rest};",
            "}",
            *self._upstream(wanted.slot, wanted.slot),
            # What the canary can't take, because it isn't there, the stable version serves.
            *self._upstream(other, wanted.slot if wanted.state.canary else other),
        ]
        return "\n".join(lines) + "\n"

    def _upstream(self, slot: str, instead: str) -> list[str]:
        """A server that refuses three times within 10 s is left alone for 10 s: so it goes when it drains.

        Where all are left alone, one of them may be back already: then `instead` is asked, come what may.
        """
        return [
            f"upstream {slot} {{",
            f"    zone {slot} 64k;",
            *(f"    server {server} max_fails=3 fail_timeout=10s;" for server in self._nginx.slots[slot].servers),
            *(f"    server {server} max_fails=0 backup;" for server in self._nginx.slots[instead].servers),
            "    keepalive 32;",
            # Shorter than the server keeps an idle connection, or a request might meet it closing.
            "    keepalive_timeout 15s;",
            "}",
        ]


def _replace(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, file)
