"""The contract watch: what the fixtures show is known; each change in a provider's messages is news once."""

import copy
import datetime as dt
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from prometheus_client import CollectorRegistry

from frozenshop.kernel import clock
from frozenshop.kernel.models import JobRun
from logistics import messages, metrics
from logistics.contracts import CONTRACTS, FOLDER, contract_of, known_of, watch
from logistics.contracts.shapes import News, news_of, type_of, walk
from logistics.models import ProviderMessage, ProviderNews, UnknownCode
from logistics.polling import enqueue_sync
from logistics.providers.base import PROVIDERS, ProviderReport
from logistics.tests import contract_fixtures
from logistics.tests.conftest import frozen
from logistics.tests.sandboxed import Wire
from logistics.tests.test_kdniao import parcel, push_of, trace
from logistics.tests.tracked import deliver, tracked
from orders.models import Alert

assert frozen
MESSAGES = [(p, *one) for p in CONTRACTS for one in contract_fixtures.bodies(p)]
CANARY = "张三丰13987654321"
READ_BY = re.compile(r"""\.get\("([A-Za-z]\w*)"|_first\(\w+, ([^)]*)\)""")
NOT_IN_WATCHED = {
    # Of recognition, subscription and refusals, which aren't kept.
    *("Shippers", "ShipperName", "comCode", "returnCode", "errorCode", "errorMsg", "success", "message"),
    *("apiResultCode", "apiErrorMsg", "apiResultData", "msgData", "content", "RequestType", "Success"),
    # 菜鸟 has them, under names that the shapes of its answers hold only inside `result`.
    *("result", "data"),
}


def news_in(provider: str, kind: str, value: Any) -> set[News]:
    contract = contract_of(provider)
    assert contract
    return news_of(value, known_of(provider, kind), contract.must[kind], contract.codes.get(kind, {}))


def opened(provider: str, kind: str, body: bytes) -> Any:
    contract = contract_of(provider)
    assert contract
    return contract.opened(body, kind)


# --- what is known ---------------------------------------------------------------------------------


def test_every_provider_is_watched():
    assert set(CONTRACTS) == set(PROVIDERS)


@pytest.mark.parametrize("provider", CONTRACTS)
def test_the_known_shapes_are_those_of_the_fixtures(provider):
    made = contract_fixtures.text_of(provider)
    assert (FOLDER / f"{provider}.json").read_text() == made, "run python -m logistics.tests.contract_fixtures"


@pytest.mark.parametrize("provider", CONTRACTS)
def test_what_a_parser_reads_is_known(provider):
    source = (Path(messages.__file__).parent / f"providers/{provider}.py").read_text()
    read = {name for one in READ_BY.findall(source) for name in re.findall(r"[A-Za-z]\w*", " ".join(one))}
    paths = [path for kind in ("push", "answer") for path in known_of(provider, kind)]
    known = {path.removesuffix("[]").rpartition(".")[2].removeprefix("[]") for path in paths}
    assert read - known - NOT_IN_WATCHED == set()


@pytest.mark.parametrize(("provider", "name", "kind", "body"), MESSAGES, ids=[f"{m[1]}-{m[2]}" for m in MESSAGES])
class TestEachFixture:
    def test_holds_no_news(self, provider, name, kind, body):
        assert news_in(provider, kind, opened(provider, kind, body)) == set()

    def test_with_a_new_field_anywhere_is_one_piece_of_news(self, provider, name, kind, body):
        value = opened(provider, kind, body)
        for path in {path for path, part in walk(value) if isinstance(part, dict)}:
            changed = copy.deepcopy(value)
            for where, part in list(walk(changed)):
                if where == path and isinstance(part, dict):
                    part["brandNew"] = {"inner": [1, {"deep": CANARY}]}
            own = f"{path}.brandNew" if path else "brandNew"
            assert news_in(provider, kind, changed) == {News("field", own, "object")}

    def test_with_a_changed_type_is_one_piece_of_news(self, provider, name, kind, body):
        value = opened(provider, kind, body)
        known = known_of(provider, kind)
        for path in {path for path, part in walk(value) if path and not path.endswith("]") and type_of(part)}:
            changed, last = copy.deepcopy(value), path.rpartition(".")[2].removeprefix("[]")
            for where, part in list(walk(changed)):
                own = f"{where}.{last}" if where else last
                if own == path and isinstance(part, dict) and last in part:
                    part[last] = 1.5
            assert "number" not in known[path]
            assert news_in(provider, kind, changed) == {News("type", path, "number")}

    def test_without_what_it_must_have_is_one_piece_of_news(self, provider, name, kind, body):
        value, contract = opened(provider, kind, body), contract_of(provider)
        assert contract
        for must in contract.must[kind]:
            changed, (parent, _, last) = copy.deepcopy(value), must.rpartition(".")
            held = [part for where, part in walk(changed) if where == parent and isinstance(part, dict)]
            for part in held:
                part.pop(last, None)
            wanted = {News("missing", must)} if held else set()
            assert news_in(provider, kind, changed) == wanted


# --- what leaves -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({CANARY: 1}, News("field", "*", "whole")),
        ({"13987654321": 1}, News("field", "*", "whole")),
        ({"phone13987654321": 1}, News("field", "*", "whole")),
        ({"fine": {"SF7444400031887": {}}}, News("field", "fine", "object")),
        ({"status": "brand-new"}, News("code", "status", "brand-new")),
        ({"status": CANARY}, News("code", "status", "*")),
        ({"status": "13987654321"}, News("code", "status", "*")),
        ({"status": "x" * 30}, News("code", "status", "*")),
    ],
)
def test_neither_names_of_fields_nor_codes_bring_a_persons_data_along(given, told):
    known = {"": frozenset({"object"}), "status": frozenset({"text"})}
    assert news_of(given, known, (), {"status": frozenset({"polling"})}) == {told}


# --- the look --------------------------------------------------------------------------------------


def pushed(**fields: Any) -> ProviderMessage:
    scan = trace(f"{clock.shanghai(clock.now()):%Y-%m-%d %H:%M:%S}", "已揽收", "1")
    return messages.keep_push("kdniao", push_of(parcel(scan, **fields)))


@pytest.mark.django_db
@pytest.mark.usefixtures("frozen")
class TestLook:
    def look(self) -> int:
        return watch.look(clock.now())

    def test_known_messages_are_no_news(self):
        pushed()
        assert self.look() == 0
        assert not ProviderNews.objects.exists()

    def test_a_new_field_in_many_messages_is_one_row_and_one_alert(self):
        for number in range(5):
            pushed(Brand=CANARY, LogisticCode=f"SF{number}")
        assert self.look() == 1
        row = ProviderNews.objects.get()
        assert (row.provider, row.kind, row.what, row.path, row.value) == (
            *("kdniao", "push", "field"),
            *("Data[].Brand", "text"),
        )
        assert row.count == 5
        assert Alert.objects.get().detail.startswith("快递鸟的推送：新字段 Data[].Brand text")

    def test_news_that_comes_again_is_counted_and_not_told(self):
        for number in range(2):
            pushed(Brand="x", LogisticCode=f"SF{number}")
            self.look()
        assert ProviderNews.objects.get().count == 3
        assert Alert.objects.count() == 1

    def test_what_a_person_knows_is_never_told_again(self, django_user_model):
        pushed(Brand="x")
        self.look()
        assert watch.acknowledge(ProviderNews.objects.all(), "staff:1") == 1
        pushed(Brand="y", LogisticCode="SF2")
        assert self.look() == 0
        assert Alert.objects.filter(resolved_at=None).count() == 0
        assert Alert.objects.get().resolved_by == "staff:1"

    def test_what_a_release_knows_ends_by_itself(self, monkeypatch):
        pushed(Brand="x")
        self.look()
        known = known_of("kdniao", "push") | {"Data[].Brand": frozenset({"text"})}
        monkeypatch.setattr(watch, "known_of_provider", lambda provider, kind: known)
        self.look()
        assert ProviderNews.objects.get().known_at is not None
        assert Alert.objects.filter(resolved_at=None).count() == 0

    def test_nothing_of_a_person_is_kept(self):
        pushed(**{"Receiver": CANARY, CANARY: "x", "13987654321": {"SF123456789": CANARY}})
        self.look()
        kept = json.dumps([list(row) for row in ProviderNews.objects.values_list("path", "value")])
        told = " ".join(Alert.objects.values_list("detail", flat=True))
        assert ProviderNews.objects.count() == 3
        assert not re.search("张三|1398765|SF123", kept + told)

    def test_what_came_before_the_former_look_is_not_looked_at_again(self):
        pushed(Brand="x")
        JobRun.objects.create(
            job=watch.JOB,
            slot=clock.now() + dt.timedelta(minutes=1),
            finished_at=clock.now() + dt.timedelta(minutes=1),
        )
        assert watch.look(clock.now() + dt.timedelta(minutes=11)) == 0

    def test_a_large_crowd_is_sampled_and_what_is_rare_in_it_seen(self, monkeypatch):
        monkeypatch.setattr(watch, "SAMPLE", 3)
        for number in range(20):
            pushed(LogisticCode=f"SF{number}")
        odd = b"RequestData=%7B%22Data%22%3A%5B%5D%7D&DataSign=x"
        with pytest.raises(Exception, match="没有可读的运单"):
            messages.keep_push("kdniao", odd)
        looked = list(watch._sample(clock.now() - dt.timedelta(hours=1)))
        assert len(looked) == 4
        assert "unreadable" in {message.outcome for message in looked}

    def test_what_cannot_be_opened_is_news(self):
        report = ProviderReport(waybill_no="SF1", carrier_code="SF", raw=b"{broken")
        messages.keep_answer("kdniao", report)
        self.look()
        assert ProviderNews.objects.get().what == "unreadable"

    def test_many_changes_at_once_open_few_alerts(self):
        pushed(**{f"New{'abcdefghijklmnop'[n]}": 1 for n in range(15)})
        assert self.look() == 15
        assert Alert.objects.count() == watch.MOST_TOLD
        assert "另有 5 项" in Alert.objects.first().detail

    def test_a_new_state_code_is_told_once_and_counted(self):
        tracked("SF10001", code="SF")
        for number in range(2):
            pushed(LogisticCode="SF10001", StateEx="977", CallBack=str(number))
        deliver("logistics.apply_message")
        self.look()
        assert not ProviderNews.objects.exists()
        assert UnknownCode.objects.get().code == "977"
        assert Alert.objects.filter(subject="code:kdniao:977").count() == 1
        assert counted("kdniao", "status") == 1

    def test_the_metric_counts_what_nobody_knows_yet(self):
        pushed(Brand="x")
        self.look()
        assert (counted("kdniao", "field"), counted("sf", "field")) == (1, 0)
        watch.acknowledge(ProviderNews.objects.all(), "staff:1")
        assert counted("kdniao", "field") == 0

    def test_a_new_code_of_a_closed_list_is_news(self):
        (form,) = [
            dict(p.split("=", 1) for p in b.decode().split("&"))
            for name, _, b in contract_fixtures.bodies("kuaidi100")
            if "polling" in name
        ]
        from urllib.parse import unquote_plus

        param = json.loads(unquote_plus(form["param"])) | {"status": "paused"}
        body = urlencode({"param": json.dumps(param), "sign": "x"}).encode()
        messages.keep_push("kuaidi100", body)
        self.look()
        assert ProviderNews.objects.get().value == "paused"


def counted(provider: str, what: str) -> float:
    registry = CollectorRegistry()
    registry.register(metrics.NewsCollector())
    value = registry.get_sample_value("frozenshop_provider_news", {"provider": provider, "what": what})
    assert value is not None
    return value


@pytest.mark.django_db
def test_the_sandbox_speaks_as_the_fixtures_do(settings, monkeypatch):
    wire = Wire(settings)
    monkeypatch.setattr("frozenshop.kernel.http.call", wire.call)
    told = (("kdniao", "YTO"), ("kuaidi100", "STO"), ("sf", "SF"))
    with time_machine.travel(dt.datetime.now(dt.UTC)) as time:
        for provider, code in told:
            wire.story(f"SHAPE-{code}", code, provider=provider, scenario="problem_then_signed")
            wire.parcel(f"SHAPE-{code}", code, provider, ago=1)
        wire.minute()
        for _ in range(30):
            time.shift(dt.timedelta(hours=2))
            wire.minute()
        heard = set(ProviderMessage.objects.values_list("provider", "kind"))
        monkeypatch.setattr(watch, "_since", lambda slot: slot - dt.timedelta(days=9))
        watch.look(clock.now())
    assert {("kdniao", "push"), ("kuaidi100", "push"), ("sf", "answer")} <= heard
    assert list(map(str, ProviderNews.objects.all())) == []


@pytest.mark.django_db
def test_a_field_that_the_sandbox_adds_to_its_answers_is_told_once(settings, monkeypatch):
    wire = Wire(settings)
    monkeypatch.setattr("frozenshop.kernel.http.call", wire.call)
    wire.fault("kdniao", "changed")
    for number in range(2):
        wire.story(f"YT000{number}", push=False)
        enqueue_sync([wire.parcel(f"YT000{number}", "YTO", "kdniao").pk])
    deliver("logistics.sync_shipment")
    watch.look(clock.now() + dt.timedelta(minutes=1))
    assert list(map(str, ProviderNews.objects.all())) == ["快递鸟的查询结果：新字段 sandboxAdded object"]
    assert Alert.objects.filter(subject__startswith="shape:").count() == 1
