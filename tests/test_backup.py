"""A backup that can't be restored fails here: the drill, and what must be refused instead of restored in part.

One small database of a server of our own is backed up once; each fault is planted into a copy of its repository.
"""

import io
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import bson
import pytest

from deploy.backup import binlogs, keys, mongo, processes, retention
from deploy.backup.drill_servers import DURABLE, NAME, Mariadb, Secantus, until
from deploy.backup.errors import Failed
from deploy.backup.locking import only_one
from deploy.backup.repository import Snapshot

ROOT = Path(__file__).resolve().parent.parent
slow = pytest.mark.slow
KEYS = {"SECRET_KEY": "s" * 40, "FIELD_ENCRYPTION_KEYS": "k1:field", "BLIND_INDEX_KEYS": "k1:b", "AUDIT_KEY": "a=b"}
TABLES = f"""CREATE DATABASE {NAME} CHARACTER SET utf8mb4; USE {NAME};
CREATE TABLE row (id INT PRIMARY KEY AUTO_INCREMENT, word VARCHAR(40), filling VARCHAR(2000));
CREATE TABLE kernel_jobrun (id BIGINT PRIMARY KEY AUTO_INCREMENT, job VARCHAR(64), slot DATETIME(6),
  recorded_at DATETIME(6), finished_at DATETIME(6), detail VARCHAR(200), UNIQUE (job, slot));"""


class Shop:
    """A repository and the settings of its backups; `server` is what they are of."""

    def __init__(self, folder: Path, server: Mariadb) -> None:
        self.folder, self.server = folder, server
        self.environment = {
            "BACKUP_REPOSITORY": str(folder / "repository"),
            "BACKUP_PASSWORD": "of the repository",
            "BACKUP_KEYS_PASSPHRASE": "of the keys",
            "DATABASE_URL": server.url,
            "VAR_DIR": str(folder / "var"),
            **KEYS,
        }
        (folder / "var").mkdir(parents=True)
        (folder / "var" / "letter").write_text("kept")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "deploy.backup", *arguments]

    def surroundings(self, changes: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BACKUP_", "MONGODB_"))}
        return kept | self.environment | changes

    def do(self, *arguments: str, prefix: tuple[str, ...] = (), **changes: str) -> subprocess.CompletedProcess[str]:
        command = [*prefix, *self.command(*arguments)]
        return subprocess.run(command, cwd=ROOT, env=self.surroundings(changes), capture_output=True, text=True)

    def done(self, *arguments: str, **changes: str) -> str:
        result = self.do(*arguments, **changes)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def refused(self, *arguments: str, code: int = 1, **changes: str) -> str:
        """Return the sentence; the target of a restoration must not be there."""
        result = self.do(*arguments, **changes)
        assert result.returncode == code, result.stdout + result.stderr
        assert not (self.folder / "restored").exists()
        assert not (self.folder / "keys.env").exists()
        assert "Traceback" not in result.stderr
        return result.stderr

    def restoration(self, instant: str = "latest") -> list[str]:
        return ["restore", f"--to={instant}", f"--datadir={self.folder}/restored", f"--keys={self.folder}/keys.env"]

    def restic(self, *arguments: str, feed: bytes = b"", cwd: Path | None = None) -> str:
        environment = {
            "RESTIC_REPOSITORY": self.environment["BACKUP_REPOSITORY"],
            "RESTIC_PASSWORD": "of the repository",
            "RESTIC_CACHE_DIR": str(self.folder / "cache"),
        }
        command = ["restic", *arguments]
        done = subprocess.run(
            command, env=os.environ | environment, input=feed, capture_output=True, cwd=cwd, check=True
        )
        return done.stdout.decode(errors="replace")

    def snapshots(self, tag: str) -> list[dict[str, str]]:
        return json.loads(self.restic("snapshots", "--json", "--tag", tag)) or []

    def manifest(self) -> dict[str, object]:
        return json.loads(self.restic("dump", self.snapshots("full")[-1]["id"], "manifest.json"))

    def put_manifest(self, manifest: dict[str, object]) -> None:
        """Put a manifest in the place of the newest."""
        old = self.snapshots("full")[-1]
        self.restic("forget", old["id"])
        name = ["--stdin", "--stdin-filename", "manifest.json", "--time", old["time"][:19].replace("T", " ")]
        labels = ["--tag", f"full,run={manifest['run']}", "--host", "frozenshop"]
        self.restic("backup", *name, *labels, feed=json.dumps(manifest).encode())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Mariadb(tmp_path_factory.mktemp("server") / "data", DURABLE)
    server.install()
    try:
        server.start()
        server.ask(TABLES)
        yield server
    finally:
        server.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def original(tmp_path_factory, server):
    """A full backup, and three binary logs after it."""
    shop = Shop(tmp_path_factory.mktemp("original"), server)
    server.ask(f"USE {NAME}; INSERT INTO row (word, filling) SELECT seq, REPEAT(MD5(seq), 50) FROM seq_1_to_2000")
    shop.done("init")
    shop.done("full")
    for word in ("one", "two", "three"):
        server.ask(f"INSERT INTO {NAME}.row (word) VALUES ('{word}'); FLUSH BINARY LOGS")
    shop.done("binlog")
    return shop


@pytest.fixture
def shop(original, tmp_path):
    """The same backups, to be damaged."""
    shop = Shop(tmp_path / "shop", original.server)
    shutil.copytree(original.folder / "repository", shop.folder / "repository")
    return shop


@pytest.fixture
def restored(tmp_path):
    """Starts a server on what was restored, as long as the test."""
    started = []

    def start(shop: Shop) -> Mariadb:
        started.append(Mariadb(shop.folder / "restored"))
        started[0].start()
        return started[0]

    yield start
    for server in started:
        server.stop(signal.SIGKILL)


def words(server: Mariadb) -> list[str]:
    return [row[0] for row in server.ask(f"SELECT word FROM {NAME}.row WHERE filling IS NULL ORDER BY id")]


@slow
@pytest.mark.services("mysql")
def test_the_drill_loses_a_database_and_gets_all_of_it_back():
    command = [sys.executable, "-m", "deploy.backup.drill", "--orders", "200", "--ship-every", "2"]
    drill = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert drill.returncode == 0, drill.stdout + drill.stderr
    assert "recovery point" in drill.stdout.splitlines()[-1]


@slow
@pytest.mark.services("mysql")
def test_what_is_restored_ends_at_the_chosen_second(shop, restored):
    """Written one after the other for some seconds; a second is chosen that is neither the first nor the last."""
    times = []
    began = time.time()
    for number in itertools.count():
        if time.time() > began + 5:
            break
        before = time.time()
        shop.server.ask(f"INSERT INTO {NAME}.row (word) VALUES ('at {number}')")
        times.append((f"at {number}", before, time.time()))
    second = int(began) + 2
    shop.done("binlog")
    shop.done(*shop.restoration(time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(second))))
    found = set(words(restored(shop)))
    assert {word for word, _, after in times if after < second} <= found
    assert not {word for word, before, _ in times if before >= second} & found
    assert {"one", "two", "three"} <= found
    assert any(second - 1 <= after < second for _, _, after in times)
    assert any(second <= before < second + 1 for _, before, _ in times)


@slow
@pytest.mark.services("mysql")
def test_restored_are_the_rows_the_keys_and_the_files_and_no_account_of_ours(shop, restored):
    (shop.folder / "restored").mkdir()
    shop.done(*shop.restoration(), f"--files={shop.folder}/files")
    server = restored(shop)
    assert words(server)[:3] == ["one", "two", "three"]
    assert server.ask(f"SELECT COUNT(*) FROM {NAME}.row WHERE filling IS NOT NULL") == [["2000"]]
    assert server.ask("SELECT COUNT(*) FROM mysql.user WHERE user = 'backup_restorer'") == [["0"]]
    path = shop.folder / "keys.env"
    assert dict(line.split("=", 1) for line in path.read_text().splitlines()) == KEYS
    assert path.stat().st_mode & 0o077 == 0
    assert (shop.folder / "files" / "letter").read_text() == "kept"


@slow
@pytest.mark.services("mysql")
def test_nothing_that_was_said_in_the_clear_stands_in_the_repository(shop):
    """Neither a key nor a row: restic encrypts both."""
    for path in (shop.folder / "repository").rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert b"k1:field" not in content
        assert b"kernel_jobrun" not in content


@slow
@pytest.mark.services("mysql")
def test_a_corrupt_pack_is_found_and_not_restored(shop):
    packs = [path for path in (shop.folder / "repository" / "data").rglob("*") if path.is_file()]
    largest = max(packs, key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 0xFF
    largest.chmod(0o600)
    largest.write_bytes(content)
    assert "restic" in shop.refused(*shop.restoration())
    assert "restic" in shop.refused("verify", "--read", "100")


@slow
@pytest.mark.services("mysql")
@pytest.mark.parametrize("told", [True, False])
def test_a_missing_binary_log_in_the_middle_is_refused(shop, tmp_path, told):
    chain = shop.snapshots("binlog")[-1]
    shop.restic("restore", chain["id"], "--target", str(tmp_path / "chain"))
    shipped = json.loads((tmp_path / "chain" / "shipped.json").read_text())
    middle = sorted(shipped["logs"])[1]
    (tmp_path / "chain" / middle).unlink()
    if not told:
        del shipped["logs"][middle]
        (tmp_path / "chain" / "shipped.json").write_text(json.dumps(shipped))
    labels = ["--tag", ",".join(chain["tags"]), "--host", "frozenshop"]
    shop.restic("backup", ".", *labels, cwd=tmp_path / "chain")
    sentence = f"the binary log number {int(middle.rpartition('.')[2]):06} is missing"
    expected = f"the binary log {middle} has no bytes" if told else sentence
    assert expected in shop.refused(*shop.restoration())
    assert expected in shop.refused("verify")


@slow
@pytest.mark.services("mysql")
def test_a_chain_that_does_not_begin_at_the_backup_is_refused(shop):
    """The rows between them would be missing without a word."""
    manifest = shop.manifest()
    shop.put_manifest(manifest | {"log": "mysql-bin.000000"})
    assert "is missing" in shop.refused(*shop.restoration())


@slow
@pytest.mark.services("mysql")
@pytest.mark.parametrize("setting", ["BACKUP_PASSWORD", "BACKUP_KEYS_PASSPHRASE"])
def test_a_wrong_passphrase_is_named(shop, setting):
    assert setting in shop.refused(*shop.restoration(), **{setting: "another one"})
    assert setting in shop.refused("verify", **{setting: "another one"})


@slow
@pytest.mark.services("mysql")
@pytest.mark.parametrize("size_told", [True, False])
def test_a_stream_that_was_cut_off_is_refused(shop, size_told):
    """Whether or not the manifest knows that it should have been longer."""
    manifest = shop.manifest()
    whole = shop.folder / "whole"
    shop.restic("restore", manifest["parts"]["database"]["snapshot"], "--target", str(whole))
    stream = (whole / "database.xbstream").read_bytes()
    cut = stream[: len(stream) * 9 // 10]
    name = ["--stdin", "--stdin-filename", "database.xbstream", "--json", "--quiet"]
    summary = shop.restic("backup", *name, "--tag", f"part,run={manifest['run']}", feed=cut)
    snapshot = json.loads(summary.splitlines()[-1])["snapshot_id"]
    size = len(stream) if size_told else len(cut)
    manifest["parts"]["database"] = {"snapshot": snapshot, "size": size}
    shop.put_manifest(manifest)
    assert shop.refused(*shop.restoration())
    if size_told:
        assert "bytes, not" in shop.refused("verify")


@slow
@pytest.mark.services("mysql")
@pytest.mark.parametrize("lost", ["forgotten", "never"])
def test_a_backup_without_its_keys_is_refused(shop, lost):
    manifest = shop.manifest()
    if lost == "forgotten":
        shop.restic("forget", manifest["parts"]["keys"]["snapshot"])
    else:
        del manifest["parts"]["keys"]
        shop.put_manifest(manifest)
    assert shop.refused(*shop.restoration())
    assert shop.refused("verify")


@slow
@pytest.mark.services("mysql")
def test_the_logs_are_kept_where_a_mounted_secret_says_where_they_are(shop, tmp_path):
    logs = Secantus(tmp_path / "logs")
    logs.start()
    try:
        with mongo.connected(logs.url("logs")) as database:
            database.log_call.insert_one({"_id": "1"})
        (tmp_path / "address").write_text(logs.url("logs") + "\n")
        shop.done("full", MONGODB_URL_FILE=str(tmp_path / "address"))
    finally:
        logs.stop()
    assert "logs" in shop.manifest()["parts"]


@slow
@pytest.mark.services("mysql")
def test_a_repository_that_is_full_keeps_what_it_had(shop):
    before = shop.done("list")
    shop.server.ask(f"USE {NAME}; INSERT INTO row (word, filling) SELECT 'more', REPEAT(UUID(), 50) FROM seq_1_to_3000")
    full = shop.do("full", prefix=("prlimit", "--fsize=200000"))
    assert full.returncode == 1
    assert "restic" in full.stderr
    assert shop.done("list") == before
    shop.done("verify", "--read", "100")
    shop.server.ask(f"DELETE FROM {NAME}.row WHERE word = 'more'")


@slow
@pytest.mark.services("mysql")
def test_a_repository_that_is_not_there_is_not_made_anew(shop):
    """A disk that isn't mounted would else be taken for an empty repository."""
    elsewhere = {"BACKUP_REPOSITORY": str(shop.folder / "not-mounted")}
    for command in (["full"], ["binlog"], ["list"], ["verify"], shop.restoration()):
        assert "there is no repository at BACKUP_REPOSITORY" in shop.refused(*command, **elsewhere)
    assert not (shop.folder / "not-mounted").exists()


@slow
@pytest.mark.services("mysql")
def test_a_second_that_the_logs_do_not_reach_is_refused(shop):
    assert "reach to" in shop.refused(*shop.restoration("2099-01-01 00:00:00"))
    assert "no full backup is older" in shop.refused(*shop.restoration("2001-01-01 00:00:00"))


@slow
@pytest.mark.services("mysql")
def test_a_killed_backup_leaves_the_former_one_good_and_the_next_one_works(shop, restored):
    """The former one is good for what came after the next one, too: their logs follow each other."""
    shop.done("binlog")
    before = shop.done("list")
    # Held back, so that the kill surely comes while the copy is under way.
    held = subprocess.Popen(
        ["env", "RESTIC_PROGRESS_FPS=0", *shop.command("full")],
        cwd=ROOT,
        env=shop.surroundings({"GOMAXPROCS": "1"}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until("mariabackup is under way", lambda: bool(children(held.pid, "mariabackup")), 30)
    under_way = children(held.pid, "mariabackup") + children(held.pid, "restic")
    held.kill()
    held.wait()
    until("its programs end with it", lambda: not any(alive(pid) for pid in under_way), 10)
    assert shop.done("list") == before
    shop.done("full")
    assert len(shop.done("list").splitlines()) == len(before.splitlines()) + 1
    shop.server.ask(f"INSERT INTO {NAME}.row (word) VALUES ('after the next')")
    shop.done("binlog")
    shop.done(*shop.restoration(), f"--run={before.split()[0]}")
    found = words(restored(shop))
    assert found[:3] == ["one", "two", "three"]
    assert found[-1] == "after the next"


def children(pid: int, name: str) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid), "-f", name], capture_output=True, text=True).stdout.split()
    return [int(child) for child in found]


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@slow
@pytest.mark.services("mysql")
def test_one_full_backup_at_a_time(shop):
    with only_one(shop.folder / "var" / "backup", "full"):
        assert "another `full` is under way" in shop.refused("full")


def test_a_lock_is_waited_for_as_long_as_is_said(tmp_path):
    with only_one(tmp_path, "binlog"):
        with pytest.raises(Failed, match="another `binlog`"), only_one(tmp_path, "binlog", wait=0.6):
            pass
        waited: list[bool] = []
        waiting = threading.Thread(target=lambda: waited.append(hold(tmp_path)))
        waiting.start()
    waiting.join()
    assert waited == [True]


def hold(folder: Path) -> bool:
    with only_one(folder, "binlog", wait=30):
        return True


@slow
@pytest.mark.services("mysql")
def test_logs_that_the_server_purged_before_they_were_shipped_ask_for_a_full_backup(shop):
    shop.put_manifest(shop.manifest() | {"log": "mysql-bin.000000"})
    shop.restic("forget", *(one["id"] for one in shop.snapshots("binlog")))
    assert "take a full backup" in shop.refused("binlog")


@slow
@pytest.mark.services("mysql")
def test_the_logs_of_a_restored_server_are_another_history(shop):
    """They are numbered from 1 again: taken for the former server's, they would be restored into a mixture."""
    shop.done(*shop.restoration())
    restored = Mariadb(shop.folder / "restored", DURABLE)
    try:
        restored.start()
        shop.folder = shop.folder / "elsewhere"
        assert "began anew" in shop.refused("binlog", DATABASE_URL=restored.url)
        for _ in range(8):
            restored.ask("FLUSH BINARY LOGS")
        restored.ask(f"USE {NAME}; INSERT INTO row (word, filling) SELECT seq, REPEAT('x', 2000) FROM seq_1_to_3000")
        assert "began anew" in shop.refused("binlog", DATABASE_URL=restored.url)
        shop.done("full", DATABASE_URL=restored.url)
        shop.done("binlog", DATABASE_URL=restored.url)
        shop.done("verify")
    finally:
        restored.stop(signal.SIGKILL)


@slow
@pytest.mark.services("mysql")
def test_a_dump_restores_over_the_network_into_an_empty_database(tmp_path, original):
    """As on a managed database: no files, and only the rows of one database."""
    server = original.server
    shop = Shop(tmp_path / "shop", server)
    shop.environment["BACKUP_METHOD"] = "logical"
    shop.done("init")
    shop.done("full")
    server.ask(f"INSERT INTO {NAME}.row (word) VALUES ('after the dump, 之后'); FLUSH BINARY LOGS")
    shop.done("binlog")
    other = Mariadb(tmp_path / "other")
    other.install()
    try:
        other.start()
        other.ask(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4")
        command = ["restore", "--to=latest", f"--into={other.url}", f"--keys={shop.folder}/keys.env"]
        shop.done(*command)
        counted = f"CHECKSUM TABLE {NAME}.row"
        assert other.ask(counted) == server.ask(counted)
        assert words(other)[-1] == "after the dump, 之后"
        assert "is not empty" in shop.do(*command[:3], f"--keys={shop.folder}/again.env").stderr
    finally:
        other.stop(signal.SIGKILL)


@pytest.mark.parametrize("missing", ["BACKUP_REPOSITORY", "BACKUP_PASSWORD", "BACKUP_KEYS_PASSPHRASE", "AUDIT_KEY"])
def test_a_missing_setting_is_named_and_is_wrong_use(tmp_path, missing):
    shop = Shop(tmp_path / "shop", SimpleNamespace(url="mysql://root@127.0.0.1:1/frozenshop"))
    assert missing in shop.refused("full", code=2, **{missing: ""})


def test_wrong_settings_are_named_without_their_secrets(tmp_path):
    shop = Shop(tmp_path / "shop", SimpleNamespace(url="mysql://root@127.0.0.1:1/frozenshop"))
    told = shop.refused("full", code=2, DATABASE_URL="postgres://a:geheim@h/b")
    assert "DATABASE_URL" in told
    assert "geheim" not in told
    assert "BACKUP_METHOD" in shop.refused("full", code=2, BACKUP_METHOD="magic")
    assert "BACKUP_PASSWORD_FILE" in shop.refused("list", code=2, BACKUP_PASSWORD_FILE="/nowhere")
    assert "no instant" in shop.refused(*shop.restoration("yesterday"), code=2)


def test_keys_open_with_their_passphrase_alone_and_unchanged():
    sealed = keys.seal(KEYS, "right")
    assert keys.open_sealed(sealed, "right") == KEYS
    for text, passphrase in ((sealed, "wrong"), (sealed[:-6] + "AAAA\n", "right"), ("", "right"), ("???", "right")):
        with pytest.raises(Failed, match="BACKUP_KEYS_PASSPHRASE"):
            keys.open_sealed(text, passphrase)


def test_a_pipe_names_the_program_that_caused_its_failure():
    with pytest.raises(Failed, match=r"^sh: an error of mine"):
        processes.pipe([["sh", "-c", "echo an error of mine >&2; exit 3"], ["cat"]])
    with pytest.raises(Failed, match=r"^sh: failed to read"):
        processes.pipe([["yes"], ["sh", "-c", "echo failed to read >&2; exit 4"]])
    with pytest.raises(Failed, match="no-such-program"):
        processes.run(["no-such-program"])


def test_rotation_spares_what_kept_backups_need_and_what_is_under_way():
    def one(name: str, *tags: str) -> Snapshot:
        return Snapshot(name, None, frozenset(tags))  # type: ignore[arg-type]

    found = [
        one("old part", "part", "run=1"),
        one("old log", "binlog", "run=1"),
        one("part", "part", "run=2"),
        one("full", "full", "run=2"),
        one("former log", "binlog", "run=2"),
        one("log", "binlog", "run=2"),
        one("under way", "part", "run=3"),
    ]
    assert retention.superfluous(found) == ["old part", "old log", "former log"]


def test_gaps_in_binary_logs_are_found():
    binlogs.refuse_gaps(["b.000009", "b.000010"], "b.000009")
    for names in (["b.000009", "b.000011"], ["b.000010"], []):
        with pytest.raises(Failed, match="is missing"):
            binlogs.refuse_gaps(names, "b.000009")


def test_logs_that_can_not_follow_are_refused():
    have = {"b.000010": 50, "b.000011": 50}
    binlogs.refuse_another_history(have, "b.000010", {"b.000011": 60, "b.000012": 5})
    for logs, words in (
        ({"b.000001": 500}, "began anew"),
        ({"b.000011": 40}, "began anew"),
        ({"b.000013": 5}, "no longer has"),
    ):
        with pytest.raises(Failed, match=words):
            binlogs.refuse_another_history(have, "b.000010", logs)


def test_a_log_is_known_by_its_beginning_closed_or_not(tmp_path):
    def log(begun: int, flags: int, rest: bytes) -> Path:
        path = tmp_path / f"{begun}-{flags}"
        described = begun.to_bytes(4, "little") + b"\x0f" + bytes(4) + (40).to_bytes(4, "little") + bytes(4)
        path.write_bytes(b"\xfebin" + described + flags.to_bytes(2, "little") + bytes(17) + bytes([flags]) * 4 + rest)
        return path

    begun = binlogs.beginning(log(1, 1, b"events"), 50)
    assert binlogs.beginning(log(1, 0, b"events and more"), 50) == begun
    assert binlogs.beginning(log(2, 1, b"events"), 50) != begun
    assert binlogs.beginning(log(1, 2, b"others"), 50) != begun


@slow
def test_the_log_store_comes_back_as_it_was_or_not_at_all(tmp_path):
    server = Secantus(tmp_path / "logs")
    server.start()
    try:
        with mongo.connected(server.url("one")) as one, mongo.connected(server.url("two")) as two:
            one.log_api.create_index([("at", 1)], name="ttl", expireAfterSeconds=99)
            one.log_api.insert_many({"_id": n, "text": "日志" * n} for n in range(1200))
            stream = io.BytesIO()
            mongo.dump(one, stream)
            assert mongo.load(two, io.BytesIO(stream.getvalue())) == {"log_api": 1200}
            assert list(two.log_api.find().sort("_id")) == list(one.log_api.find().sort("_id"))
            assert two.log_api.index_information() == one.log_api.index_information()
            with pytest.raises(ValueError, match="not empty"):
                mongo.load(two, io.BytesIO(stream.getvalue()))
        end = len(b"E" + bson.encode({"counts": {"log_api": 1200}}))
        cut = io.BytesIO(stream.getvalue()[:-end])
        with mongo.connected(server.url("three")) as three, pytest.raises(ValueError, match="cut off"):
            mongo.load(three, cut)
    finally:
        server.stop()
