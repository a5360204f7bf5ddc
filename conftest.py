"""What holds for every test: which are chosen, which services they need, how long Hypothesis looks."""

import os
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.living"]

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

SERVICES = {
    "mysql": ("DATABASE_URL", "mysql", 3306),
    "redis": ("REDIS_URL", "redis", 6379),
    "rabbitmq": ("CELERY_BROKER_URL", "amqp", 5672),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also the tests marked slow or drill (as RUN_SLOW=1 does)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out: set[pytest.Item] = set()
    if not config.getoption("--slow") and os.environ.get("RUN_SLOW") != "1":
        left_out |= {item for item in items if item.get_closest_marker("slow") or item.get_closest_marker("drill")}
    if os.environ.get("ON_SERVICES_ONLY_WHAT_DIFFERS") == "1":
        left_out |= {item for item in items if _is_the_same_on_services(item)}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def _is_the_same_on_services(item: pytest.Item) -> bool:
    """Say whether a test of a package that knows the stores only through the database touches no database."""
    if item.path.relative_to(item.config.rootpath).parts[0] not in ("sandbox", "logistics", "orders"):
        return False
    marked = any(item.get_closest_marker(name) for name in ("django_db", "services", "skipif"))
    return not marked and not {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.services("mysql", "rabbitmq")` names what a test needs; without names it needs all."""
    marker = item.get_closest_marker("services")
    absent = [name for name in (marker.args or SERVICES) if not answers(name)] if marker else []
    if not absent:
        return
    sentence = f"{', '.join(absent)}: not named in the environment, or no answer"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


def answers(service: str) -> bool:
    """Return whether the environment names this service and something listens there."""
    variable, scheme, port = SERVICES[service]
    url = urlsplit(os.environ.get(variable, ""))
    if not url.scheme.startswith(scheme):
        return False
    try:
        with socket.create_connection((url.hostname or "127.0.0.1", url.port or port), timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture(autouse=True)
def _calendar_and_learnt_are_read_anew() -> Iterator[None]:
    """What a test writes into the shop's calendar or learns counts at once, and not for the next test."""
    from frozenshop.kernel import calendar
    from logistics.learning import learnt

    calendar.forget()
    learnt.forget()
    yield
    calendar.forget()
    learnt.forget()
