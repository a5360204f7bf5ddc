"""deploy/k8s and deploy/compose.yaml hold together, by the published schemas and by our own rules."""

import copy
import functools
import json
import os
import runpy
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
from kubernetes_validate import utils

from frozenshop.kernel.crypto import parse_keys
from tests import compose, manifests
from tests.manifests import OVERLAYS, ROOT, Document, is_setting, names, of_kind, pods, render

VERSIONS = sorted({utils.major_minor(version) for version in utils.all_versions()} - {"1.25", "1.26", "1.27", "1.28"})
pytestmark = pytest.mark.skipif(bool(os.environ.get("REDIS_URL")), reason="the same on either run")


@pytest.fixture(scope="module")
def overlays() -> dict[str, list[Document]]:
    if shutil.which("kubectl") is None:
        sentence = "kubectl, which renders the overlays, is not here"
        if "1" in (os.environ.get("REQUIRE_SERVICES"), os.environ.get("REQUIRE_NODE")):
            pytest.fail(sentence)
        pytest.skip(sentence)
    return {name: render(name) for name in OVERLAYS}


@pytest.fixture
def production(overlays: dict[str, list[Document]]) -> list[Document]:
    return copy.deepcopy(overlays["production"])


@pytest.fixture(scope="module", autouse=True)
def schemas_read_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield


def invalid(documents: list[Document], version: str) -> list[str]:
    """Return what the schemas of a Kubernetes version refuse; a kind that they don't know counts as well."""
    found = []
    for document in documents:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except (utils.ValidationError, utils.SchemaNotFoundError) as error:
            found.append(f"{document['kind']}/{document['metadata']['name']}: {error}")
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_is_valid_for_kubernetes(overlays, version):
    assert [fault for overlay in OVERLAYS for fault in invalid(overlays[overlay], version)] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("rule", manifests.RULES, ids=lambda rule: rule.__name__)
def test_an_overlay_keeps_our_rules(overlays, overlay, rule):
    assert list(rule(overlays[overlay])) == []


def one(documents: list[Document], kind: str, name: str) -> Document:
    return next(each for each in of_kind(documents, kind) if each["metadata"]["name"] == name)


def web(documents: list[Document]) -> Document:
    return one(documents, "Deployment", "frozen-order-service")["spec"]


def app(documents: list[Document]) -> Document:
    return web(documents)["template"]["spec"]["containers"][0]


FAULTS: list[tuple[manifests.Rule, str, Callable[[list[Document]], object]]] = [
    (manifests.probes, "no readinessProbe", lambda d: app(d).pop("readinessProbe")),
    (manifests.resources, "no limits of memory", lambda d: app(d)["resources"].pop("limits")),
    (manifests.restricted, "may write its root", lambda d: app(d)["securityContext"].pop("readOnlyRootFilesystem")),
    (manifests.restricted, "may gain privileges", lambda d: app(d)["securityContext"].pop("capabilities")),
    (manifests.restricted, "as root", lambda d: web(d)["template"]["spec"]["securityContext"].pop("runAsNonRoot")),
    (manifests.restricted, "a token", lambda d: web(d)["template"]["spec"].pop("automountServiceAccountToken")),
    (manifests.images, "names no version", lambda d: app(d).update(image="registry.example.com:5000/frozenshop")),
    (manifests.images, "names no version", lambda d: app(d).update(image="frozenshop:latest")),
    (manifests.selectors, "selects", lambda d: web(d)["selector"]["matchLabels"].update({"frozenshop/track": "x"})),
    (manifests.selectors, "selects", lambda d: web(d)["selector"]["matchLabels"].clear()),
    (manifests.ports, "no port", lambda d: app(d).update(ports=[{"name": "x", "containerPort": 1}])),
    (manifests.ports, "which there isn't", lambda d: d.remove(one(d, "Service", "frozen-order-service"))),
    (manifests.references, "frozenshop-settings", lambda d: d[:] and _rename_config_map(d)),
    (manifests.references, "audit-checkpoint", lambda d: d.remove(one(d, "PersistentVolumeClaim", "audit-checkpoint"))),
    (manifests.references, "mounts tmp", lambda d: web(d)["template"]["spec"]["volumes"].pop()),
    (manifests.settings, "SHOP_NAMES is no", lambda d: app(d)["env"].append({"name": "SHOP_NAMES", "value": "x"})),
    (manifests.settings, "nothing is mounted", lambda d: app(d)["volumeMounts"].pop(0)),
    (manifests.scaling, "scales nothing", lambda d: d.remove(one(d, "Deployment", "worker-rest"))),
    (manifests.scaling, "says how many", lambda d: web(d).update(replicas=2)),
    (manifests.several, "no PodDisruptionBudget", lambda d: d.remove(one(d, "PodDisruptionBudget", "relay"))),
    (manifests.several, "beat is not one", lambda d: one(d, "Deployment", "beat")["spec"].update(replicas=2)),
    (manifests.several, "one node", lambda d: web(d)["template"]["spec"].pop("topologySpreadConstraints")),
    (manifests.network, "nothing denies", lambda d: d.remove(one(d, "NetworkPolicy", "default-deny"))),
    (manifests.network, "nobody may reach", lambda d: d.remove(one(d, "NetworkPolicy", "metrics"))),
    (manifests.network, "reaches no store", lambda d: one(d, "NetworkPolicy", "stores")["spec"].pop("egress")),
    (manifests.stopping, "killed", lambda d: web(d)["template"]["spec"].update(terminationGracePeriodSeconds=30)),
    (manifests.queues, "serves frozenshop.messages", lambda d: d.remove(one(d, "Deployment", "worker-messages"))),
]


def test_the_audits_checkpoints_have_a_way_off_the_machine():
    services = dict(compose.services(compose.load()))
    writing = [name for name, one in services.items() if compose.environment(one).get("WORKER_QUEUES") == "frozenshop"]
    assert writing == ["worker-rest", "worker-rest-green"]
    for name in writing:
        assert compose.environment(services[name])["AUDIT_CHECKPOINT_DIR"] == "/checkpoints"
        assert services[name]["volumes"] == ["checkpoints:/checkpoints"]
    assert "chown 10001:10001 /checkpoints" in (ROOT / "Dockerfile").read_text()
    overlays = ("k8s/overlays/staging/settings.env", "k8s/overlays/production/settings/settings.env")
    for file in ("settings.env.example", *overlays):
        assert "AUDIT_CHECKPOINT_URL" in compose.read_env(ROOT / "deploy" / file)


def _rename_config_map(documents: list[Document]) -> None:
    for document in of_kind(documents, "ConfigMap"):
        document["metadata"]["name"] += "-other"


@pytest.mark.parametrize(("rule", "words", "plant"), FAULTS, ids=lambda part: getattr(part, "__name__", None))
def test_a_planted_fault_is_found(production, rule, words, plant):
    plant(production)
    assert any(words in fault for fault in rule(production)), list(rule(production))


def test_every_rule_has_its_planted_fault():
    assert {rule for rule, _, _ in FAULTS} == set(manifests.RULES)
    assert {rule for rule, _, _ in COMPOSE_FAULTS} == set(compose.RULES)


def test_a_misspelt_field_and_an_unknown_kind_are_invalid(production):
    app(production)["resorces"] = {}
    production.append({"apiVersion": "v2", "kind": "Deployement", "metadata": {"name": "x"}})
    assert len(invalid(production, VERSIONS[-1])) == 2


def test_the_canary_sleeps_as_it_is_applied_and_takes_no_pod_of_the_stable_service(overlays):
    canary = of_kind(overlays["canary"], "Ingress")[-1]["metadata"]
    assert canary["name"] == "frozen-order-service-canary"
    assert canary["annotations"]["nginx.ingress.kubernetes.io/canary"] == "true"
    assert canary["annotations"]["nginx.ingress.kubernetes.io/canary-weight"] == "0"
    assert one(overlays["canary"], "Deployment", canary["name"])["spec"]["replicas"] == 0
    stable, part = (one(overlays["canary"], "Ingress", f"frozen-order-service{end}")["spec"] for end in ("", "-canary"))
    assert stable["rules"][0]["host"] == part["rules"][0]["host"]
    services = {each["metadata"]["name"]: each["spec"]["selector"] for each in of_kind(overlays["canary"], "Service")}
    assert services["frozen-order-service"]["frozenshop/track"] == "stable"
    assert services["frozen-order-service-canary"]["frozenshop/track"] == "canary"


def test_staging_and_production_differ_where_they_must(overlays):
    def hosts(overlay: str) -> set[str]:
        return {rule["host"] for each in of_kind(overlays[overlay], "Ingress") for rule in each["spec"]["rules"]}

    assert hosts("staging").isdisjoint(hosts("production"))
    assert names(overlays["staging"], "Namespace").isdisjoint(names(overlays["production"], "Namespace"))
    assert of_kind(overlays["staging"], "StatefulSet")
    assert not of_kind(overlays["production"], "StatefulSet")
    assert of_kind(overlays["production"], "HorizontalPodAutoscaler")


def test_the_web_tier_is_frozen_order_service_on_8080_twice(overlays):
    deployment = one(overlays["staging"], "Deployment", "frozen-order-service")["spec"]
    assert deployment["replicas"] == 2
    assert deployment["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] == 8080
    assert one(overlays["production"], "HorizontalPodAutoscaler", "frozen-order-service")["spec"]["minReplicas"] == 2


def labelled(documents: list[Document], label: str, value: str) -> list[Document]:
    return [document for document in documents if document["metadata"].get("labels", {}).get(label) == value]


def test_the_database_can_be_filled_before_the_program_is_there(overlays):
    for overlay in ("staging", "production"):
        before = labelled(overlays[overlay], "frozenshop/phase", "before")
        assert [pod.owner for pod in pods(before)] == ["Job/migrate"]
        assert list(manifests.references(before)) == []


def test_the_stores_of_staging_can_be_started_by_themselves(overlays):
    stores = labelled(overlays["staging"], "app.kubernetes.io/name", "stores")
    assert len(list(pods(stores))) == 4
    assert list(manifests.references(stores)) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_of_the_program_runs_the_image_of_its_overlay(overlays, overlay):
    images = {c["image"] for pod in pods(overlays[overlay]) for c in pod.containers if c["name"] == "app"}
    assert len(images) == 1


def schema() -> Document:
    path = files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    return json.loads(path.read_text())


def test_compose_is_valid_by_the_compose_specification():
    jsonschema.Draft202012Validator(schema()).validate(compose.load())


def test_a_misspelt_field_of_compose_is_invalid():
    document = compose.load()
    document["services"]["mysql"]["helthcheck"] = {}
    assert not jsonschema.Draft202012Validator(schema()).is_valid(document)


@pytest.mark.parametrize("rule", compose.RULES, ids=lambda rule: rule.__name__)
def test_compose_keeps_our_rules(rule):
    assert list(rule(compose.load())) == []


def service(document: Document, name: str) -> Document:
    """Return a service that shares no part with another, as YAML's anchors would have it."""
    document["services"][name] = copy.deepcopy(document["services"][name])
    return document["services"][name]


COMPOSE_FAULTS: list[tuple[compose.Rule, str, Callable[[Document], object]]] = [
    (compose.images, "is not one version", lambda d: service(d, "redis").update(image="redis:7")),
    (compose.bounded, "all memory", lambda d: service(d, "web-1").pop("mem_limit")),
    (compose.bounded, "no health check", lambda d: service(d, "beat").pop("healthcheck")),
    (compose.bounded, "fill the disk", lambda d: service(d, "mysql").pop("logging")),
    (compose.bounded, "after a crash", lambda d: service(d, "relay").pop("restart")),
    (compose.restricted, "write its root", lambda d: service(d, "grafana").pop("read_only")),
    (compose.restricted, "gain privileges", lambda d: service(d, "grafana").pop("cap_drop")),
    (compose.restricted, "as root", lambda d: service(d, "mysql").pop("user")),
    (compose.published, "mysql is published", lambda d: service(d, "mysql").update(ports=["3306:3306"])),
    (compose.dependencies, "which there isn't", lambda d: d["services"].pop("mysql")),
    (compose.dependencies, "shows none", lambda d: service(d, "mysql").pop("healthcheck")),
    (compose.dependencies, "started again", lambda d: service(d, "migrate").update(restart="always")),
    (compose.dependencies, "the migrations", lambda d: service(d, "web-2")["depends_on"].pop("migrate")),
    (compose.secrets, "used by nobody", lambda d: d["secrets"].update(OTHER={"file": "x"})),
    (compose.secrets, "defined nowhere", lambda d: d["secrets"].pop("AUDIT_KEY")),
    (compose.secrets, "isn't mounted", lambda d: service(d, "web-1")["secrets"].remove("AUDIT_KEY")),
    (compose.settings, "no setting", lambda d: service(d, "beat").update(environment={"METRIC_PORT": "1"})),
    (compose.volumes, "which there isn't", lambda d: service(d, "nginx").update(volumes=["./ngin:/etc/x:ro"])),
    (compose.volumes, "defined nowhere", lambda d: d["volumes"].pop("redis")),
    (compose.networks, "which there isn't", lambda d: d["networks"].pop("watching")),
    (
        compose.networks,
        "where web-2 is",
        lambda d: service(d, "web-2")["networks"]["front"].update(ipv4_address="1.2.3.4"),
    ),
    (compose.networks, "beyond the program", lambda d: service(d, "redis").update(networks=["stores", "outside"])),
    (compose.queues, "serves frozenshop.messages", lambda d: d["services"].pop("worker-messages")),
    (compose.stopping, "killed", lambda d: service(d, "web-1").update(stop_grace_period="10s")),
    (compose.pinned_alike, "compose redis:7.0.1", lambda d: service(d, "redis").update(image="redis:7.0.1")),
]


@pytest.mark.parametrize(("rule", "words", "plant"), COMPOSE_FAULTS, ids=lambda part: getattr(part, "__name__", None))
def test_a_fault_planted_in_compose_is_found(rule, words, plant):
    document = compose.load()
    plant(document)
    assert any(words in fault for fault in rule(document)), list(rule(document))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "secrets"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["make_secrets", str(folder)])
        with pytest.raises(SystemExit, match="0"):
            runpy.run_path(str(ROOT / "deploy/make_secrets.py"), run_name="__main__")
    return folder


def test_every_secret_that_compose_and_kubernetes_mount_is_made(made):
    by_hand = {f"secrets/stores/{name}" for name in compose.BY_HAND}
    wanted = set(compose.made(compose.load()).values()) - by_hand
    assert {str(path.relative_to(made.parent)) for path in made.rglob("*") if path.is_file()} == wanted
    named = compose.read_env(manifests.K8S / "components/settings/secret-files.env")
    assert {Path(value).name for value in named.values()} == {path.name for path in (made / "app").iterdir()}


def test_secrets_are_made_once_and_are_their_owners(made):
    before = {path: path.read_text() for path in made.rglob("*") if path.is_file()}
    module = runpy.run_path(str(ROOT / "deploy/make_secrets.py"))
    assert module["write"](made / "stores", module["for_stores"](made / "stores")) == 0
    assert {path: path.read_text() for path in before} == before
    assert made.stat().st_mode & 0o777 == 0o700


def test_the_stores_passwords_stand_in_the_programs_addresses(made):
    def read(name: str) -> str:
        return (made / name).read_text().strip()

    assert read("stores/MYSQL_PASSWORD") in read("app/DATABASE_URL")
    assert read("stores/MONGODB_PASSWORD") in read("app/MONGODB_URL")
    assert read("stores/redis.conf").split()[-1] in read("app/REDIS_URL")
    assert read("stores/rabbitmq.conf").split()[-1] in read("app/CELERY_BROKER_URL")
    assert parse_keys(read("app/FIELD_ENCRYPTION_KEYS"))


@pytest.mark.parametrize("file", ["settings.env.example", "k8s/overlays/staging/settings.env"])
def test_what_may_be_set_by_file_is_a_setting(file):
    assert [name for name in compose.read_env(ROOT / "deploy" / file) if not is_setting(name)] == []
