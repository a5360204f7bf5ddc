"""Grafana's dashboards: made from code, whole, and asking for what the program tells. Grafana never drew them."""

import datetime as dt
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from deploy.grafana.__main__ import FOLDER, main, stale
from deploy.grafana.boards import BOARDS
from deploy.grafana.panels import expressions
from tests.living import _without_settings, free_port
from tests.test_living_demo import Buyer
from tests.test_one_id import base_of, ship_an_order, staff_session

ROOT = Path(__file__).resolve().parent.parent
PROMETHEUS = ROOT / "deploy/prometheus"
MADE = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
PANELS = [(board, panel) for board in MADE for panel in board["panels"] if panel["type"] != "row"]
named = pytest.mark.parametrize(
    ("board", "panel"), PANELS, ids=[f"{board['uid']}-{panel['title']}" for board, panel in PANELS]
)
NOT_OURS = {"up", "ALERTS"}
# The demo runs on SQLite; docs/metrics.md says of these that they are not there then.
ELSEWHERE = {"Database connections"}
SECONDS = 200


# --- as they are written ---------------------------------------------------------------------------


def test_what_is_committed_is_what_the_code_says(capsys):
    assert stale() == [], "run python -m deploy.grafana"
    assert main(["--check"]) == 0
    assert main(["--chekc"]) == 2


def test_the_check_finds_what_is_stale_or_left_over(tmp_path, monkeypatch):
    monkeypatch.setattr("deploy.grafana.__main__.FOLDER", tmp_path)
    main([])
    (tmp_path / "frozenshop-api.json").write_text("{}")
    (tmp_path / "old.json").write_text("{}")
    assert stale() == ["frozenshop-api.json", "old.json"]
    assert main(["--check"]) == 1


def test_dashboards_and_panels_have_names_and_numbers_of_their_own():
    assert len({board["uid"] for board in MADE}) == len({board["title"] for board in MADE}) == len(BOARDS) == 6
    for board in MADE:
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        titles = [panel["title"] for panel in board["panels"] if panel["type"] != "row"]
        assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("board", MADE, ids=lambda board: board["uid"])
def test_no_panel_lies_on_another(board):
    for one, other in itertools.combinations([panel["gridPos"] for panel in board["panels"]], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in board["panels"])


@named
def test_a_panel_says_what_it_shows_and_leads_to_a_page_that_helps(board, panel):
    assert len(panel["description"]) > 10
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}
    (link,) = panel["links"]
    assert (ROOT / link["url"].replace("${docs}", "docs")).is_file()


@named
def test_a_threshold_rises_to_red_or_from_it(board, panel):
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    values = [step["value"] for step in steps[1:]]
    assert values == sorted(values)
    assert steps[0]["value"] is None
    colours = [step["color"] for step in steps]
    assert colours in (["green"], ["green", "orange"], ["green", "red"], ["green", "orange", "red"], ["red", "green"])


@named
def test_a_panel_asks_for_metrics_that_there_are(board, panel):
    documented = set(re.findall(r"`(frozenshop_\w+)`", (ROOT / "docs/metrics.md").read_text()))
    recorded = set(re.findall(r'record: "?(frozenshop:[\w:]+)', (PROMETHEUS / "rules/objectives.yaml").read_text()))
    for target in panel["targets"]:
        asked = set(re.findall(r"\b(frozenshop[_:][\w:]+|up|ALERTS)\b(?=[{\[) ]|$)", target["expr"]))
        assert asked
        for name in asked - NOT_OURS:
            assert name in recorded or re.sub("_(bucket|count|sum)$", "", name) in documented, name


@named
def test_what_only_grows_is_asked_for_as_a_rate(board, panel):
    for target in panel["targets"]:
        for before in re.findall(r"([a-z_]*)\(?frozenshop_\w+_(?:total|bucket|count)\b", target["expr"]):
            assert before in ("rate", "increase"), target["expr"]


@pytest.mark.parametrize("board", MADE, ids=lambda board: board["uid"])
def test_variables_are_declared_used_and_bounded(board):
    declared = {one["name"]: one for one in board["templating"]["list"]}
    used = {name for name in re.findall(r"\$\{?(\w+)", json.dumps(board["panels"])) if not name.isdigit()}
    assert used - {"__rate_interval"} == set(declared)
    table = (ROOT / "docs/metrics.md").read_text()
    for name, one in declared.items():
        if name == "docs":
            continue
        match = re.fullmatch(r"label_values\((\w+)(\{.*\})?, (\w+)\)", one["query"])
        assert match
        assert f"`{match[1]}`" in table
        assert re.search(rf"^\| `{match[3]}` \|", table, re.MULTILINE), f"{match[3]} is no label of a closed set"


def test_grafana_is_told_where_they_and_prometheus_are():
    folder = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((folder / "dashboards/frozenshop.yaml").read_text())["providers"]
    services = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    grafana = services["grafana"]
    mounted = {volume.split(":")[1] for volume in grafana["volumes"] if volume.startswith("./grafana:")}
    assert source["uid"] == "prometheus"
    assert source["url"].removeprefix("http://").split(":")[0] in services
    assert provider["options"]["path"] == f"{mounted.pop()}/dashboards"
    assert grafana["environment"]["GF_PATHS_PROVISIONING"] == "/etc/frozenshop/provisioning"


def test_every_expression_is_one_of_prometheus(tmp_path):
    rules = [
        {"record": f"panel:{number}", "expr": concrete(expr)} for number, (*_, expr) in enumerate(expressions(BOARDS))
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(tmp_path / "rules.yaml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {len(rules)} rules found" in done.stdout


def concrete(expr: str) -> str:
    """Return an expression as Grafana would send it, with everything chosen."""
    for name in re.findall(r"\$\{?(\w+)", expr):
        if name not in ("__rate_interval",) and not name.isdigit():
            expr = re.sub(rf"\$\{{?{name}\}}?", ".*", expr)
    return expr.replace("$__rate_interval", "1m")


def program(name: str) -> str:
    if (found := shutil.which(name)) is None:
        sentence = f"{name} is not installed (Debian's prometheus)"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found


# --- against the living program --------------------------------------------------------------------


@pytest.fixture
def prometheus(running: dict[str, Any], tmp_path: Path) -> Iterator[str]:
    """Start Prometheus with the shipped rules, and with the shipped jobs on the demo's ports, scraped more often."""
    config, port = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text()), free_port()
    config["global"] = {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"}
    config["rule_files"] = [str(PROMETHEUS / "rules/*.yaml")]
    del config["alerting"]
    (tmp_path / "token").write_text(_setting(running["folder"], "METRICS_TOKEN"))
    jobs = [job for job in config["scrape_configs"] if job["job_name"] in running["metrics"]]
    for job in jobs:
        job["authorization"]["credentials_file"] = str(tmp_path / "token")
        job["static_configs"] = [{"targets": [f"127.0.0.1:{running['metrics'][job['job_name']]}"]}]
    config["scrape_configs"] = jobs
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        program("prometheus"),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/tsdb",
    ]
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        log.close()


@pytest.mark.drill
@pytest.mark.timeout(400)
def test_every_panel_shows_something_of_the_living_shop(running, prometheus):
    buyer, staff, deadline = Buyer(running), staff_session(running), time.monotonic() + SECONDS
    promised_by = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
    for number in range(3):
        ship_an_order(running, f"YT{number}{time.time_ns() % 10**12:012}", promised_by=promised_by)
    asked = {(board, title, expr): concrete(expr) for board, title, expr in expressions(BOARDS)}
    silent = {key for key in asked if key[1] not in ELSEWHERE}
    while silent and time.monotonic() < deadline:
        _live(buyer)
        still = " ".join(expr for *_, expr in silent)
        if "alert_resolution" in still:
            _resolve_an_alert(staff, f"{base_of(running)}/admin/orders/alert/?kind=stale")
        if "settlement_held" in still:
            _measure_settlement(running["folder"])
        silent = {key for key in silent if not _tells(prometheus, asked[key])}
        time.sleep(2)
    assert silent == set()


def _live(buyer: Buyer) -> None:
    """Do what a buyer does, and now and then what is refused."""
    page = buyer.call("GET", "/api/orders?limit=50").json()["results"]
    moving = [one for one in page if one["status"] in ("shipped", "in_transit")]
    for summary in sorted(moving, key=lambda one: -one["alert_count"])[:1]:
        buyer.call("POST", f"/api/orders/{summary['order_no']}/refresh")
        buyer.call("POST", f"/api/orders/{summary['order_no']}/confirm")
    buyer.call("GET", "/api/orders/NOPE")


def _resolve_an_alert(staff: requests.Session, url: str) -> None:
    ids = re.findall(r'name="_selected_action" value="(\d+)"', staff.get(url, timeout=20).text)
    token = staff.cookies["csrftoken"]
    form = {"action": "resolve", "outcome": "carrier", "text": "已联系网点", "csrfmiddlewaretoken": token}
    staff.post(url, form | {"_selected_action": ids[:1]}, headers={"Referer": url}, timeout=20)


def _measure_settlement(folder: Path) -> None:
    """What a job does every five minutes, now."""
    code = "from notifications.settlement import figures; figures.measure()"
    environment = _without_settings() | {"VAR_DIR": str(folder), "LOG_LEVEL": "ERROR"}
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", code], cwd=ROOT, env=environment, check=True, timeout=60
    )


def _tells(prometheus: str, expr: str) -> bool:
    """Say whether an expression has a value at this moment that is a number."""
    try:
        answer = requests.get(f"{prometheus}/api/v1/query", params={"query": expr}, timeout=10).json()
    except requests.ConnectionError:
        return False
    assert answer["status"] == "success", (expr, answer)
    return any(series["value"][1] != "NaN" for series in answer["data"]["result"])


def _setting(folder: Path, name: str) -> str:
    lines = (folder / "local.env").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith(f"{name}="))
