"""`manage.py check_cainiao` finds the variant of an account that behaves as the sandbox is told to."""

import json

import pytest
from django.core.management import CommandError, call_command

from frozenshop.kernel import http
from logistics.models import Carrier
from logistics.providers import cainiao
from logistics.tests.sandbox_server import served
from logistics.tests.test_cainiao import PATH_SECRET, SECRET, array_push, link_push, signed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
NO = "73100000000001"
SHAPE_B = "B（嵌套：result.data.detail）"


@pytest.fixture
def account(settings):
    settings.CAINIAO_PROVIDER_ID, settings.CAINIAO_APP_CODE = "0123456789abcdef0123456789abcdef", "demo-app"
    settings.CAINIAO_SECRET, settings.CAINIAO_CALLBACK_SECRETS = SECRET, PATH_SECRET
    settings.ALLOW_LOOPBACK_INTEGRATIONS = True
    keys = {"cainiao_provider_id": settings.CAINIAO_PROVIDER_ID, "cainiao_app_code": "demo-app"}
    Carrier.objects.create(code="ZTO", name="中通快递", aliases=["中通"], cainiao_code="ZTO")
    with served(cainiao_secret=SECRET, **keys) as found:
        settings.CAINIAO_BASE_URL = found.url
        scan = {"time": "2026-11-21 09:00:00", "desc": "张三的快件已揽收"}
        payload = {"success": True, "logisticsStatus": "TRANSPORT", "fullTraceDetail": [scan]}
        found.put(f"shipments/{NO}", provider="cainiao", carrier_code="ZTO", payload=payload)
        yield found


def check(capsys, *options: str, carrier: str = "中通") -> tuple[int, str]:
    """Return exit code and everything that was said."""
    try:
        call_command("check_cainiao", NO, "--carrier", carrier, *options)
    except CommandError as error:
        return error.returncode, capsys.readouterr().out + str(error)
    return 0, capsys.readouterr().out


def test_fitting_settings_are_confirmed(account, capsys):
    code, said = check(capsys)
    assert code == 0
    for part in ("签名 base64-raw", "形状 A", "轨迹 1 条", "最新 2026-11-21 09:00", "TRANSPORT → 运输中", "设置相符"):
        assert part in said


def test_no_sentence_and_no_secret_is_printed(account, capsys):
    _, said = check(capsys)
    assert not [word for word in ("张三", SECRET, PATH_SECRET) if word in said]


@pytest.mark.parametrize("digest", sorted(set(cainiao.DIGESTS) - {"base64-raw"}))
def test_another_digest_is_found_and_named(account, capsys, digest):
    account.put("cainiao", digest=digest)
    code, said = check(capsys)
    assert (code, f"  CAINIAO_DIGEST={digest}" in said) == (1, True)


def test_another_query_is_found_and_named(account, capsys):
    account.put("cainiao", open=[cainiao.PACK_QUERY])
    code, said = check(capsys)
    assert (code, "  CAINIAO_QUERY_TYPE=LPC_PACK_PUB_QUERY" in said) == (1, True)
    assert said.count("接口没有开通") == 1


@pytest.mark.parametrize("nested", [{"detail": []}, json.dumps({"detail": []})], ids=["object", "text"])
def test_the_nested_shape_is_named(account, capsys, nested):
    payload = {"success": True, "result": {"data": nested}}
    account.put(f"shipments/{NO}", provider="cainiao", carrier_code="ZTO", payload=payload)
    code, said = check(capsys)
    assert (code, SHAPE_B in said, "暂无轨迹" in said) == (0, True, True)


def test_an_unknown_shape_is_described_by_its_fields_alone(account, capsys):
    payload = {"success": True, "module": {"traces": [{"when": "secret value"}], "n": 1}}
    account.put(f"shipments/{NO}", provider="cainiao", carrier_code="ZTO", payload=payload)
    code, said = check(capsys)
    assert (code, "字段有：success、module.traces.when、module.n" in said) == (1, True)
    assert "secret value" not in said


def test_a_refused_question_shows_that_the_digest_is_right(account, capsys):
    payload = {"success": False, "errorCode": "B7", "errorMsg": "运单不存在"}
    account.put(f"shipments/{NO}", provider="cainiao", carrier_code="ZTO", payload=payload)
    code, said = check(capsys)
    assert (code, "签名被接受，但没有问到轨迹：B7 运单不存在" in said) == (1, True)


def test_with_a_wrong_secret_nothing_fits(account, capsys, settings):
    settings.CAINIAO_SECRET = "another"
    code, said = check(capsys)
    assert (code, said.count("签名不符"), "没有一种变体能用" in said) == (1, 8, True)


def test_without_network_it_says_so_at_once(account, capsys, monkeypatch):
    def unreachable(*args, **options):
        raise http.ServiceError("cainiao", "无法连接", transient=True)

    monkeypatch.setattr(http, "call", unreachable)
    code, said = check(capsys)
    assert (code, "无法连接" in said) == (1, True)


@pytest.mark.parametrize("digest", cainiao.DIGESTS)
def test_a_captured_push_tells_its_digest(account, capsys, tmp_path, digest):
    file = tmp_path / "push"
    file.write_bytes(signed('{"mailNo":"1"}', digest=digest))
    code, said = check(capsys, "--push", str(file))
    assert f"签名 {digest}：地址填 <PUBLIC_URL>/callbacks/cainiao" in said
    assert (code, f"  CAINIAO_PUSH_DIGEST={digest}" in said) == ((0, False) if digest == "base64-raw" else (1, True))


def test_a_captured_array_wants_an_address_with_a_secret(account, capsys, settings, tmp_path):
    file = tmp_path / "push"
    file.write_bytes(array_push())
    assert check(capsys, "--push", str(file))[0] == 0
    settings.CAINIAO_CALLBACK_SECRETS = ""
    code, said = check(capsys, "--push", str(file))
    assert (code, "CAINIAO_CALLBACK_SECRETS=" in said) == (1, True)


@pytest.mark.parametrize("body", [b"", b"x=1", b"\xff", link_push().replace(b"mailNo", b"mailNO")])
def test_a_push_that_can_not_be_judged_is_a_failure(account, capsys, tmp_path, body):
    file = tmp_path / "push"
    file.write_bytes(body)
    assert check(capsys, "--push", str(file))[0] == 1


def test_wrong_use_is_told_apart(account, capsys, settings, tmp_path):
    Carrier.objects.create(code="OWN", name="自家车队")
    assert check(capsys, carrier="不存在")[0] == 2
    assert check(capsys, carrier="OWN")[0] == 2
    assert check(capsys, "--push", str(tmp_path / "none"))[0] == 2
    settings.CAINIAO_SECRET = ""
    assert check(capsys)[0] == 2
