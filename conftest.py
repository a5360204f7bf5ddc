"""What holds for every test: which are chosen, which services they need, how long Hypothesis looks."""

import gc
import os
import socket
from collections.abc import Generator, Iterator
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


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage in what stays to the end: a full look at it took 0.14 s, a twentieth of the tests' time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out: set[pytest.Item] = set()
    if not config.getoption("--slow") and os.environ.get("RUN_SLOW") != "1":
        left_out |= {item for item in items if item.get_closest_marker("slow") or item.get_closest_marker("drill")}
    if differing := os.environ.get("ON_SERVICES_ONLY"):
        left_out |= {item for item in items if _is_the_same_on_services(item)}
        left_out |= {item for item in items if _is_a_further_case(item) != (differing == "further cases")}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def _is_the_same_on_services(item: pytest.Item) -> bool:
    """Say whether a test of a package that knows the stores only through the database touches no database."""
    if item.path.relative_to(item.config.rootpath).parts[0] not in ("sandbox", "logistics", "orders"):
        return False
    marked = any(item.get_closest_marker(name) for name in ("django_db", "services", "skipif"))
    return not marked and not {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))


def _is_a_further_case(item: pytest.Item) -> bool:
    """Say whether a test asks what another case of it asks with other values, is of the back office, or `long`.

    `make test` takes the first case to the services, `make test-all` the others: what differs there are mostly the
    statements, seldom what is in them. The back office is a third of all tests, and its pages ask as the packages below
    it do. Not so in races, and in the kernel, where the stores are parameters.
    """
    if item.get_closest_marker("long"):
        return True
    at = getattr(getattr(item, "callspec", None), "indices", {})
    of_the_back_office = item.path.is_relative_to(item.config.rootpath / "frozenshop/backoffice")
    first = not any(at.values()) and not of_the_back_office
    if first or item.path.is_relative_to(item.config.rootpath / "frozenshop/kernel"):
        return False
    marked = item.get_closest_marker("django_db")
    races = bool(marked and marked.kwargs.get("transaction")) or "transactional_db" in getattr(item, "fixturenames", ())
    return not races and not item.get_closest_marker("services")


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
