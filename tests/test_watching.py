"""What Prometheus and Alertmanager are given: whole, tested both ways, and leading to a page that helps."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deploy/prometheus"
ALERTS = {
    rule["alert"]: rule
    for path in sorted((FOLDER / "rules").glob("*.yaml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
CASES = [
    (case["alertname"], bool(case["exp_alerts"]))
    for path in sorted((FOLDER / "tests").glob("*.yaml"))
    for test in yaml.safe_load(path.read_text())["tests"]
    for case in test["alert_rule_test"]
]
NEVER_SILENT = {"Watchdog"}
CAUSES = {rule["labels"]["cause"] for rule in ALERTS.values() if "cause" in rule["labels"]}


def run(*command: str, folder: Path = FOLDER) -> str:
    if shutil.which(command[0]) is None:
        sentence = f"{command[0]} is not installed (Debian's prometheus and prometheus-alertmanager)"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_its_configuration_and_rules(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "prometheus")
    token = tmp_path / "token"
    token.write_text("a-token")
    config = tmp_path / "prometheus/prometheus.yml"
    config.write_text(config.read_text().replace("/run/secrets/METRICS_TOKEN", str(token)))
    run("promtool", "check", "config", str(config), folder=tmp_path / "prometheus")


def test_pods_become_the_jobs_and_queues_that_the_rules_ask_for(tmp_path):
    """The pods as the manifests name them, given to Prometheus by a file in place of the cluster."""
    pods, manifests = [], sorted((ROOT / "deploy/k8s/base").rglob("*.yaml"))
    for path in manifests:
        for manifest in yaml.safe_load_all(path.read_text()):
            pod = (manifest or {}).get("spec", {}).get("template", {}).get("metadata", {})
            if "annotations" in pod and "prometheus.io/scrape" in pod["annotations"]:
                pods.append({"targets": ["10.0.0.7:1"], "labels": found(pod, manifest["metadata"]["name"])})
    (tmp_path / "pods.json").write_text(json.dumps(pods))
    config = yaml.safe_load((FOLDER / "kubernetes.yml").read_text())
    scrape = config["scrape_configs"][0]
    del scrape["kubernetes_sd_configs"], scrape["authorization"]
    scrape["file_sd_configs"] = [{"files": ["pods.json"]}]
    (tmp_path / "config.yml").write_text(yaml.safe_dump({"scrape_configs": [scrape]}))
    printed = run("promtool", "check", "service-discovery", "--timeout=2s", "config.yml", "frozenshop", folder=tmp_path)
    targets = {
        (labels["job"], labels.get("queue"), labels["__address__"])
        for labels in (target["labels"] for target in json.loads(printed))
    }
    assert targets == {
        ("web", None, "10.0.0.7:8080"), ("relay", None, "10.0.0.7:9464"), ("beat", None, "10.0.0.7:9464"),
        *(("worker", queue, "10.0.0.7:9464") for queue in ("tracking", "messages", "rest")),
    }  # fmt: skip


def found(pod: dict, name: str) -> dict[str, str]:
    """Return the labels by which Prometheus finds a pod."""
    by = {"label": pod["labels"], "annotation": pod["annotations"]}
    meta = {
        f"__meta_kubernetes_pod_{kind}_{re.sub(r'[^a-zA-Z0-9_]', '_', key)}": value
        for kind, given in by.items()
        for key, value in given.items()
    }
    return meta | {"__meta_kubernetes_pod_ip": "10.0.0.7", "__meta_kubernetes_pod_name": f"{name}-x"}


@pytest.mark.parametrize("path", sorted((FOLDER / "tests").glob("*.yaml")), ids=lambda path: path.stem)
def test_alerts_fire_and_stay_silent_as_written(path):
    run("promtool", "test", "rules", str(path))


def test_alertmanager_takes_its_configuration():
    run("amtool", "check-config", "alertmanager.yml")


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_test_that_fires_and_one_that_stays_silent(alert):
    assert (alert, True) in CASES
    assert (alert, False) in CASES or alert in NEVER_SILENT


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_leads_to_a_page_that_names_it(alert):
    page = ROOT / ALERTS[alert]["annotations"]["runbook"]
    assert page.is_relative_to(ROOT / "docs/runbooks")
    assert re.search(rf"`{alert}`", page.read_text()), f"{page.name} doesn't name {alert}"


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_how_urgent_it_is_and_what_it_is_about(alert):
    assert ALERTS[alert]["labels"]["severity"] in ("page", "ticket", "heartbeat", "none")
    assert ALERTS[alert]["annotations"]["summary"]


def test_what_an_alert_needs_is_the_cause_of_another_and_holds_it_back():
    inhibited = {
        re.search(r'"(\w+)"', rule["source_matchers"][0])[1]: re.compile(
            re.search(r'needs=~"(.+)"', rule["target_matchers"][0])[1]
        )
        for rule in yaml.safe_load((FOLDER / "alertmanager.yml").read_text())["inhibit_rules"]
    }
    assert set(inhibited) == CAUSES
    for rule in ALERTS.values():
        needs = rule["labels"].get("needs", "")
        named = {name for name in needs.split(",") if name}
        assert named <= CAUSES
        assert named == {cause for cause, pattern in inhibited.items() if pattern.fullmatch(needs)}


def test_every_metric_that_is_asked_for_stands_in_the_table():
    table = (ROOT / "docs/metrics.md").read_text()
    asked = {
        name for path in (FOLDER / "rules").glob("*.yaml") for name in re.findall(r"\bfrozenshop_\w+", path.read_text())
    }
    unknown = {name for name in asked if f"`{re.sub('_(bucket|count|sum)$', '', name)}`" not in table}
    assert unknown == set()
