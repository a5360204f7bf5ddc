"""Prometheus and Alertmanager with the files that are shipped, only their addresses changed; and who is called."""

import json
import shutil
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from deploy.alarms.processes import ROOT, Part, Ports, until

SHIPPED = ROOT / "deploy/prometheus"
READY_SECONDS = 60
Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """An alert that reached the receiver: `at` by time.monotonic()."""

    alert: str
    status: str
    receiver: str
    at: float
    labels: Mapping[str, str]


class Receiver:
    """Whoever is called: a webhook that writes down what comes."""

    def __init__(self, port: int) -> None:
        self.told: list[Told] = []
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in body["alerts"]:
                    labels = alert["labels"]
                    told.append(
                        Told(labels["alertname"], alert["status"], self.path.strip("/"), time.monotonic(), labels)
                    )
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def since(self, instant: float, status: str) -> list[Told]:
        calls = [told for told in list(self.told) if told.at >= instant and told.status == status]
        return [told for told in calls if told.receiver != "heartbeat"]


class Watchers:
    def __init__(self, folder: Path, ports: Ports, addresses: Mapping[str, str], token: str) -> None:
        self.receiver_port, self.prometheus_port, self.alertmanager_port = (ports.take() for _ in range(3))
        self.receiver = Receiver(self.receiver_port)
        shutil.copytree(SHIPPED, folder / "prometheus")
        (folder / "token").write_text(token)
        self._place(folder, addresses)
        self.parts = [self._alertmanager(folder), self._prometheus(folder)]

    def start(self) -> None:
        """An alert that fires before Prometheus knows Alertmanager is told a minute late: wait until it does."""
        for part in self.parts:
            part.start()
        for part in self.parts:
            part.wait()
        until("Prometheus to know Alertmanager", self._introduced, READY_SECONDS)
        until("Watchdog to arrive", self._watched, READY_SECONDS * 2)

    def stop(self) -> None:
        for part in self.parts:
            part.kill()
        self.receiver.stop()

    def pending_or_firing(self) -> set[str]:
        alerts = self._ask(self.prometheus_port, "/api/v1/alerts")["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts} - {"Watchdog", "Aftermath"}

    def suppressed(self) -> set[str]:
        alerts = self._ask(self.alertmanager_port, "/api/v2/alerts")
        return {alert["labels"]["alertname"] for alert in alerts if alert["status"]["state"] == "suppressed"}

    def targets_up(self) -> bool:
        targets = self._ask(self.prometheus_port, "/api/v1/targets?state=active")["data"]["activeTargets"]
        return bool(targets) and all(target["health"] == "up" for target in targets)

    def _introduced(self) -> bool:
        return bool(self._ask(self.prometheus_port, "/api/v1/alertmanagers")["data"]["activeAlertmanagers"])

    def _watched(self) -> bool:
        return any(told.receiver == "heartbeat" for told in self.receiver.told)

    def _ask(self, port: int, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return json.load(answer)

    def _place(self, folder: Path, addresses: Mapping[str, str]) -> None:
        """Change where things are, and nothing else: intervals, rules and routes stay as they are shipped."""
        config = folder / "prometheus/prometheus.yml"
        text = config.read_text().replace("/run/secrets/METRICS_TOKEN", str(folder / "token"))
        text = text.replace("localhost:9090", f"127.0.0.1:{self.prometheus_port}")
        text = text.replace("alertmanager:9093", f"127.0.0.1:{self.alertmanager_port}")
        for role in ("web", "worker"):
            self._fill_slot(folder / "prometheus/slots", role, addresses[role])
        for role in ("relay", "beat"):
            text = text.replace(f"{role}:9464", addresses[role])
        config.write_text(text)
        routes = folder / "prometheus/alertmanager.yml"
        receiver = f"http://127.0.0.1:{self.receiver_port}"
        routes.write_text(routes.read_text().replace("http://alerts.example.com", receiver))

    def _fill_slot(self, slots: Path, role: str, address: str) -> None:
        slots.mkdir(exist_ok=True)
        for other in slots.glob(f"{role}-*.json"):
            other.unlink()
        (slots / f"{role}-drill.json").write_text(json.dumps([{"targets": [address]}]))

    def _prometheus(self, folder: Path) -> Part:
        listen = f"--web.listen-address=127.0.0.1:{self.prometheus_port}"
        data = f"--storage.tsdb.path={folder}/tsdb"
        command = ["prometheus", f"--config.file={folder}/prometheus/prometheus.yml", data, listen]
        return Part("prometheus", command, folder, lambda: self._ready(self.prometheus_port))

    def _alertmanager(self, folder: Path) -> Part:
        listen = [f"--web.listen-address=127.0.0.1:{self.alertmanager_port}", "--cluster.listen-address="]
        data = f"--storage.path={folder}/alertmanager"
        command = ["prometheus-alertmanager", f"--config.file={folder}/prometheus/alertmanager.yml", data, *listen]
        return Part("alertmanager", command, folder, lambda: self._ready(self.alertmanager_port))

    def _ready(self, port: int) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
