"""The release command's parts: what nginx is told, what Prometheus' figures mean, what kubectl is asked to do."""

import contextlib
import http.client
import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from django.db import connection

from deploy.release import __main__ as command
from deploy.release import compose, schema
from deploy.release.canary import Plan, release
from deploy.release.config import read
from deploy.release.ingress import ReleaseError, State
from deploy.release.judge import Judge, Limits
from deploy.release.kubernetes import Kubernetes, KubernetesIngress
from deploy.release.nginx import Nginx, NginxIngress, Slot
from deploy.release.surroundings import nginx_command
from deploy.releases import Release
from tests.living import free_port

ROOT = Path(__file__).resolve().parent.parent
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed")
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def ingress(folder, **changes):
    """A slotted nginx whose commands only note that they were called."""
    note = [sys.executable, "-c", NOTE, str(folder / "calls")]
    slots = {"blue": Slot(["127.0.0.1:9"], 'slot="blue"'), "green": Slot(["127.0.0.1:10"], 'slot="green"')}
    told = {"reload": [*note, "reload"], "test": [*note, "test"], "start": [*note, "start"], "stop": [*note, "stop"]}
    return NginxIngress(Nginx(folder / "release.conf", **(told | {"slots": slots} | changes)))


NOTE = """
import os, sys
names = [os.environ.get(name, "-") for name in ("SLOT", "VERSION")]
open(sys.argv[1], "a").write(" ".join([sys.argv[2], *names]) + "\\n")
"""


def calls(folder, *kinds):
    said = [line.split() for line in (folder / "calls").read_text().splitlines()]
    return [tuple(line) for line in said if line[0] in kinds]


# --- nginx: the state ------------------------------------------------------------------------------


def test_a_version_goes_from_one_slot_to_the_other_and_back(tmp_path):
    at = ingress(tmp_path)
    at.install("1.0")
    at.begin("1.1")
    at.weigh(25)
    assert at.state() == State("1.0", canary="1.1", weight=25)
    at.promote()
    at.settle()
    assert at.state() == State("1.1", former="1.0")
    at.restore(force=False)
    at.settle()
    assert at.state() == State("1.0")
    moves = calls(tmp_path, "start", "stop")
    assert moves == [("start", "green", "1.1"), ("stop", "blue", "-"), ("start", "blue", "1.0"), ("stop", "green", "-")]


def test_what_was_killed_goes_on_with_its_share(tmp_path):
    at = ingress(tmp_path)
    at.install("1.0")
    at.begin("1.1")
    at.weigh(25)
    anew = ingress(tmp_path)
    anew.begin("1.1")
    assert anew.state() == State("1.0", canary="1.1", weight=25)


def test_a_withdrawn_version_keeps_the_former_one_known(tmp_path):
    at = ingress(tmp_path)
    at.install("1.0")
    at.begin("1.1")
    at.promote()
    at.begin("1.2")
    at.withdraw()
    assert at.state() == State("1.1", former="1.0")


def test_a_file_that_nginx_refuses_is_taken_back(tmp_path):
    ingress(tmp_path).install("1.0")
    before = (tmp_path / "release.conf").read_text()
    with pytest.raises(ReleaseError, match="nginx refuses"):
        ingress(tmp_path, test=["false"]).weigh(50)
    assert (tmp_path / "release.conf").read_text() == before


def test_no_way_back_once_the_schema_has_moved_on_but_by_force(tmp_path):
    at = ingress(tmp_path, rollback_check=["false"])
    at.install("1.0")
    at.begin("1.1")
    at.promote()
    with pytest.raises(ReleaseError, match="schema"):
        at.restore(force=False)
    assert at.state().stable == "1.1"
    at.restore(force=True)
    assert at.state().stable == "1.0"


def test_without_a_former_version_there_is_no_way_back(tmp_path):
    ingress(tmp_path).install("1.0")
    with pytest.raises(ReleaseError, match="no former"):
        ingress(tmp_path).restore(force=False)


# --- nginx: the requests ---------------------------------------------------------------------------


class Slots:
    """A web server for each slot that answers with the slot's name, behind a real nginx."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port

    def ask(self, source):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, 10, (source, 0))
        with contextlib.closing(connection):
            connection.request("GET", "/")
            return connection.getresponse().read().decode()

    def asked(self):
        return {source: self.ask(source) for source in (f"127.2.{n // 200}.{n % 200 + 1}" for n in range(200))}


def serve(name):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@needs_nginx
def test_an_address_keeps_its_version_while_the_share_grows_and_what_is_down_costs_nothing(tmp_path):
    blue, green, port = serve("blue"), serve("green"), free_port()
    slots = {name: Slot([f"127.0.0.1:{one.server_address[1]}"], "") for name, one in (("blue", blue), ("green", green))}
    at = ingress(
        tmp_path, slots=slots, test=nginx_command(tmp_path, "-t"), reload=nginx_command(tmp_path, "-s", "reload")
    )
    at.install("1.0")
    own = " ".join(
        f"{name}_temp_path {tmp_path}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    server = f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://$release_slot; }} }}"
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log {tmp_path}/error.log; daemon off; events {{}}"
        f"http {{ access_log off; {own} include {tmp_path}/release.conf; {server} }}"
    )
    process = subprocess.Popen(nginx_command(tmp_path))
    try:
        seen, through = [], Slots(tmp_path, port)
        until(lambda: through.ask("127.2.0.1") == "blue")
        at.begin("1.1")
        for percent in (25, 50):
            at.weigh(percent)
            share = 2 * percent
            until(lambda: 0.6 * share < list(through.asked().values()).count("green") < 1.4 * share)  # noqa: B023
            seen.append({source for source, slot in through.asked().items() if slot == "green"})
        assert seen[0] < seen[1]
        green.shutdown()
        green.server_close()
        assert set(through.asked().values()) == {"blue"}
    finally:
        process.terminate()
        process.wait(20)
        blue.shutdown()
        blue.server_close()


def until(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if holds():
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


# --- the judge, by a real Prometheus ---------------------------------------------------------------

LENGTH, STEP, RISE, SINCE = 130, 2, 100, 90
"""Seconds of history, between two scrapes; how long ago a message died, and since when is judged."""
CASES = {
    # slot: requests, of them failed, of them slow (a second), tasks, of them failed: all per second
    "stable": (40, 0.04, 0.2, 20, 0.1),
    "well": (3, 0, 0, 5, 0),
    "few": (0.5, 0, 0, 5, 0),
    "failing": (3, 0.3, 0, 5, 0),
    "unlucky": (3, 0.02, 0.02, 5, 0.02),
    "slow": (3, 0, 1, 5, 0),
    "bad tasks": (3, 0, 0, 5, 2),
    "gone": (3, 0, 0, 5, 0),
    "restarted": (3, 0, 0, 5, 0),
}


def history(now):
    """What the program would have shown at each scrape, as OpenMetrics."""
    lines = {"up": ["# TYPE up gauge"], "requests": [], "seconds": [], "tasks": [], "dead": []}
    lines["requests"].append("# TYPE frozenshop_requests counter")
    lines["seconds"].append("# TYPE frozenshop_request_seconds histogram")
    lines["tasks"].append("# TYPE frozenshop_task_runs counter")
    lines["dead"].append("# TYPE frozenshop_outbox_messages gauge")
    for slot, (requests, failed, slow, tasks, bad) in CASES.items():
        for age in range(LENGTH, -1, -STEP):
            at, elapsed = now - age, LENGTH - age
            if slot == "restarted" and age < 30:
                elapsed = 30 - age
            label = f'slot="{slot}"'
            lines["up"].append(f"up{{{label}}} {0 if slot == 'gone' and age < 50 else 1} {at}")
            for status, rate in (("200", requests - failed), ("500", failed)):
                labels = f'{label},route="/api/orders",status="{status}"'
                lines["requests"].append(f"frozenshop_requests_total{{{labels}}} {rate * elapsed} {at}")
            for bound, rate in (
                ("0.1", requests - slow),
                ("1.0", requests - slow),
                ("2.5", requests),
                ("+Inf", requests),
            ):
                labels = f'{label},route="/api/orders",le="{bound}"'
                lines["seconds"].append(f"frozenshop_request_seconds_bucket{{{labels}}} {rate * elapsed} {at}")
            for outcome, rate in (("done", tasks - bad), ("failed", bad)):
                lines["tasks"].append(
                    f'frozenshop_task_runs_total{{{label},outcome="{outcome}"}} {rate * elapsed} {at}'
                )
    for age in range(LENGTH, -1, -STEP):
        lines["dead"].append(f'frozenshop_outbox_messages{{status="dead"}} {2 if age < RISE else 0} {now - age}')
    ordered = sorted(lines["seconds"][1:], key=lambda line: line.split("le=")[0])
    lines["seconds"][1:] = ordered
    return "\n".join(line for part in lines.values() for line in part) + "\n# EOF\n"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """A Prometheus that has seen all cases; yields its address and the last moment it knows."""
    folder, port, now = tmp_path_factory.mktemp("prometheus"), free_port(), int(time.time())
    (folder / "history").write_text(history(now))
    (folder / "prometheus.yml").write_text("{}")
    fill = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "history"), str(folder / "tsdb")]
    subprocess.run(fill, check=True, capture_output=True)
    url = f"http://127.0.0.1:{port}"
    start = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    process = subprocess.Popen([*start, f"--web.listen-address={url[7:]}"], stderr=subprocess.DEVNULL)
    try:
        until(lambda: urllib.request.urlopen(f"{url}/-/ready").status == 200)
        yield url, now
    finally:
        process.terminate()
        process.wait(20)


class Named:
    """An ingress of which only the labels are asked."""

    def __init__(self, canary):
        self.canary = canary

    def selector(self, track):
        return f'slot="{self.canary if track == "canary" else "stable"}"'


def judged(prometheus, slot, *, since=SINCE, **limits):
    url, now = prometheus
    return Judge(url, Limits(gone_seconds=20, **limits), Named(slot), since=now - since).look(now)


@needs_prometheus
@pytest.mark.parametrize(
    ("slot", "word", "reason"),
    [
        ("well", "good", "requests"),
        ("few", "unknown", "too few"),
        ("failing", "bad", "requests failed"),
        ("unlucky", "good", "requests"),
        ("slow", "bad", "p99"),
        ("bad tasks", "bad", "tasks failed"),
        ("gone", "bad", "doesn't answer"),
        ("restarted", "bad", "began anew"),
        ("never seen", "unknown", "knows nothing"),
    ],
)
def test_the_judge_says(prometheus, slot, word, reason):
    verdict = judged(prometheus, slot)
    assert (verdict.word, reason in verdict.reason) == (word, True), verdict


@needs_prometheus
def test_a_message_that_died_since_speaks_against_it(prometheus):
    assert judged(prometheus, "well", since=RISE + 20).reason == "2 more dead messages"


@needs_prometheus
def test_it_may_be_as_bad_as_what_serves(prometheus):
    url, now = prometheus
    alike = Judge(url, Limits(), Named("failing"), since=now - SINCE)
    alike._stable = alike._canary
    assert alike.look(now).word == "good"


def test_without_prometheus_nothing_is_decided():
    verdict = Judge(f"http://127.0.0.1:{free_port()}", Limits(), Named("well"), since=0).look(time.time())
    assert verdict.word == "unknown"
    assert "doesn't answer" in verdict.reason


# --- the command -----------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [[], [5, 25], [0, 100], [50, 25, 100], [5, 5, 100]])
def test_steps_grow_to_all(steps):
    with pytest.raises(ReleaseError, match="steps"):
        Plan(steps=steps)


@pytest.mark.parametrize("name", ["compose.toml", "kubernetes.toml"])
def test_the_files_that_come_with_it_can_be_read(name):
    assert list(read(ROOT / "deploy/release" / name).plan.steps) == [5, 25, 50, 100]


def test_the_file_of_the_proxy_is_what_the_command_would_write():
    config = read(ROOT / "deploy/release/compose.toml")
    written = (ROOT / "deploy/nginx/upstreams.conf").read_text()
    at = NginxIngress(
        config.ingress._nginx.__class__(**{**_fields(config), "file": ROOT / "deploy/nginx/upstreams.conf"})
    )
    assert at.render(at._read()) == written


def _fields(config):
    settings = config.ingress._nginx
    return {name: getattr(settings, name) for name in settings.__slots__}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[nginx", "Expected"),
        ("", "either"),
        ("[kubernetes]\nimage='x'\n[other]", "unknown other"),
        ("[kubernetes]\nimages='x'", "unknown images"),
        ("[kubernetes]", "image"),
        ("[kubernetes]\nimage='x'\n[prometheus]\nurl='u'\n[plan]\nsteps=[5]", "steps"),
    ],
)
def test_a_file_that_makes_no_sense_is_wrong_use(tmp_path, capsys, text, said):
    (tmp_path / "x.toml").write_text(text)
    assert command.main(["--config", str(tmp_path / "x.toml"), "status"]) == 2
    assert said in capsys.readouterr().err


# --- Kubernetes: every command is carried out by the real kubectl on the rendered manifests ------------


@pytest.fixture
def cluster(tmp_path):
    """Production's and the canary's manifests as files, and a kubectl that knows no other cluster."""
    for overlay in ("production", "canary"):
        rendered = subprocess.run(
            ["kubectl", "kustomize", str(ROOT / f"deploy/k8s/overlays/{overlay}")], capture_output=True, check=True
        ).stdout
        for document in yaml.safe_load_all(rendered):
            if document["kind"] in ("Deployment", "Ingress"):
                name = f"{document['kind'].lower()}-{document['metadata']['name']}.json"
                (tmp_path / name).write_text(json.dumps(document))
    return KubernetesIngress(
        Kubernetes(
            image="registry.example.com/frozenshop",
            kubectl=[sys.executable, str(ROOT / "tests/offline_kubectl.py"), str(tmp_path)],
        )
    )


def image(folder, deployment):
    pod = json.loads((folder / f"deployment-{deployment}.json").read_text())["spec"]["template"]["spec"]
    return pod["containers"][0]["image"].rpartition(":")[2]


def asleep(folder):
    return json.loads((folder / "deployment-frozen-order-service-canary.json").read_text())["spec"]["replicas"] == 0


@pytest.mark.slow
@needs_kubectl
def test_on_kubernetes_a_version_comes_goes_and_comes_back(cluster, tmp_path):
    cluster.withdraw()
    cluster.settle()
    first = cluster.state().stable
    assert asleep(tmp_path)
    cluster.begin("9.9.9")
    cluster.weigh(25)
    assert cluster.state() == State(first, canary="9.9.9", weight=25)
    assert image(tmp_path, "frozen-order-service-canary") == "9.9.9"
    assert not asleep(tmp_path)
    cluster.promote()
    cluster.settle()
    assert cluster.state() == State("9.9.9", former=first)
    everything = ("frozen-order-service", "worker-tracking", "worker-messages", "worker-rest", "relay", "beat")
    assert {image(tmp_path, name) for name in everything} == {"9.9.9"}
    assert asleep(tmp_path)
    cluster.restore(force=False)
    assert {image(tmp_path, name) for name in everything} == {first}
    assert cluster.state() == State(first)


# --- one server: what is written down around docker compose ------------------------------------------


def test_a_restart_of_the_server_brings_back_the_slot_that_serves(tmp_path, monkeypatch):
    said = tmp_path / "prometheus/slots"
    said.mkdir(parents=True)
    (tmp_path / ".env").write_text("FROZENSHOP_VERSION=1.0\nCOMPOSE_PROFILES=own\n")
    monkeypatch.setattr(compose, "FOLDER", tmp_path)
    monkeypatch.setattr(compose, "command", lambda *arguments: ["true"])
    monkeypatch.setenv("SLOT", "green")
    monkeypatch.setenv("VERSION", "1.1")
    assert [compose.main([act]) for act in ("start", "rest")] == [0, 0]
    lines = (tmp_path / ".env").read_text().split()
    assert sorted(lines) == ["COMPOSE_PROFILES=own,green", "FROZENSHOP_GREEN=1.1", "FROZENSHOP_VERSION=1.1"]
    assert {path.name for path in said.iterdir()} == {"web-green.json", "worker-green.json"}
    assert compose.main(["stop"]) == 0
    assert "COMPOSE_PROFILES=own\n" in (tmp_path / ".env").read_text()
    assert list(said.iterdir()) == []


def test_the_slots_are_those_of_the_compose_file():
    services = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    for slot, names in compose.SLOTS.items():
        assert all(f"FROZENSHOP_{slot.upper()}" in services[name]["image"] for name in names)
        addresses = [services[name]["networks"]["front"]["ipv4_address"] for name in names if name.startswith("web")]
        servers = read(ROOT / "deploy/release/compose.toml").ingress._nginx.slots[slot].servers
        assert [f"{address}:8080" for address in addresses] == list(servers)
    for name, groups in compose.targets("blue").items():
        assert json.loads((ROOT / "deploy/prometheus/slots" / name).read_text()) == groups


# --- the schema ------------------------------------------------------------------------------------

KNOWN = [
    Release("0.9.0", "", {"orders": "0001_first"}, {}),
    Release("0.10.0", "", {"orders": "0002_second"}, {}),
    Release("0.11.0", "", {"orders": "0003_third"}, {}),
]


@pytest.mark.parametrize(
    ("version", "newest", "said"),
    [
        ("0.9.0", "0001_first", ""),
        ("0.9.0", "0002_second", ""),
        ("0.9.0", "0003_third", "orders.0003_third came after 0.10.0"),
        ("0.10.0", "0003_third", ""),
        ("0.11.0", "0004_not_released_yet", ""),
        ("0.8.0", "0001_first", "0.8.0 is none"),
    ],
)
def test_a_version_runs_on_the_schema_of_the_next_release_and_on_no_later_one(version, newest, said):
    reason = schema.refusal(version, {"orders": newest, "auth": "0012_x"}, KNOWN)
    assert (reason[: len(said)], bool(reason)) == (said, bool(said))


@pytest.mark.django_db
def test_the_schema_is_asked_in_the_programs_own_process(capfd, monkeypatch):
    """The one that this test runs on is newer than any release: the newest one may run on it."""
    database = connection.settings_dict
    if connection.vendor != "sqlite":
        pytest.skip("the same on either run")
    newest = schema.releases()[-1].version
    monkeypatch.setenv("VERSION", newest)
    names = {"DATABASE_URL": f"sqlite:///{database['NAME']}", "DJANGO_SETTINGS_MODULE": "frozenshop.settings"}
    path = f"PATH={Path(sys.executable).parent}:/usr/bin:/bin"
    given = [f"{name}={value}" for name, value in names.items()]
    assert schema.main(["env", path, *given]) == 0, capfd.readouterr()
    assert f"The schema serves {newest}." in capfd.readouterr().out


def test_a_schema_that_cant_be_asked_allows_nothing(monkeypatch):
    monkeypatch.setenv("VERSION", "0.1.0")
    assert schema.main(["false"]) == 1


# --- from the first percent to the last -----------------------------------------------------------------


def bring_out(at, version, **plan):
    said = []
    quick = {"step_seconds": 0, "hold_seconds": 0.2, "poll_seconds": 0.05} | plan
    nobody = f"http://127.0.0.1:{free_port()}"
    done = release(at, version, prometheus=nobody, limits=Limits(), plan=Plan(**quick), say=said.append)
    return done, said


def test_what_cant_be_judged_is_held_for_a_while_and_then_withdrawn(tmp_path):
    at = ingress(tmp_path)
    at.install("1.0")
    done, said = bring_out(at, "1.1")
    assert not done
    assert at.state() == State("1.0")
    assert any("waiting: Prometheus" in line for line in said)
    assert any("could not be judged" in line for line in said)
    assert calls(tmp_path, "start", "stop") == [("start", "green", "1.1"), ("stop", "green", "-")]


def test_what_does_not_start_gets_no_request(tmp_path):
    at = ingress(tmp_path, start=["false"])
    at.install("1.0")
    done, said = bring_out(at, "1.1")
    assert not done
    assert not any("% to 1.1" in line for line in said)
    assert at.state() == State("1.0")


def test_no_second_version_while_one_is_under_way(tmp_path):
    at = ingress(tmp_path)
    at.install("1.0")
    at.begin("1.1")
    with pytest.raises(ReleaseError, match=r"1\.1 is under way"):
        bring_out(at, "1.2")


def test_after_a_kill_between_promotion_and_the_end_the_command_finishes(tmp_path):
    at = ingress(tmp_path)
    at.install("1.0")
    at.begin("1.1")
    at.promote()
    done, _ = bring_out(at, "1.1")
    assert done
    assert at.state() == State("1.1", former="1.0")
    assert calls(tmp_path, "stop") == [("stop", "blue", "-")]
