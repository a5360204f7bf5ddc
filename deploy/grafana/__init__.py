"""Grafana's dashboards as typed code. `python -m deploy.grafana` writes `dashboards/*.json`, which Grafana is given."""
