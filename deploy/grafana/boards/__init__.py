"""All dashboards. Those of the tables are the same from every web: `max`; what each process counts is added up."""

from deploy.grafana.boards.api import API
from deploy.grafana.boards.business import BUSINESS
from deploy.grafana.boards.jobs import JOBS
from deploy.grafana.boards.orders import ORDERS
from deploy.grafana.boards.overview import OVERVIEW
from deploy.grafana.boards.providers import PROVIDERS

BOARDS = (OVERVIEW, API, JOBS, PROVIDERS, ORDERS, BUSINESS)
