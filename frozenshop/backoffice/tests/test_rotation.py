import base64
import dataclasses

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.test import override_settings

from frozenshop.api import sessions
from frozenshop.api.models import BuyerSession
from frozenshop.backoffice import rotation
from frozenshop.kernel import crypto, merchant_keys
from frozenshop.kernel.models import MerchantKey
from logistics import messages
from logistics.models import ProviderMessage
from notifications.models import SmsCode, SmsPush, WebhookEndpoint, WechatEvent
from notifications.sms import pushes
from notifications.webhooks import endpoints
from notifications.wechat import events
from orders.consignee import indexes
from orders.models import Customer, Order
from orders.tests.factories import make_customer, make_order

pytestmark = pytest.mark.django_db
PHONE = "13812341234"


def keys(**ids):
    return ",".join(f"{key_id}:{base64.b64encode(bytes([seed] * 32)).decode()}" for key_id, seed in ids.items())


OLD = {"FIELD_ENCRYPTION_KEYS": keys(k1=1), "BLIND_INDEX_KEYS": keys(k1=11)}
BOTH = {"FIELD_ENCRYPTION_KEYS": keys(k2=2, k1=1), "BLIND_INDEX_KEYS": keys(k2=12, k1=11)}
NEW = {"FIELD_ENCRYPTION_KEYS": keys(k2=2), "BLIND_INDEX_KEYS": keys(k2=12)}


@pytest.fixture(autouse=True)
def _rotating():
    with override_settings(**BOTH):
        yield


@pytest.fixture
def order():
    with override_settings(**OLD):
        return make_order(phone=PHONE, name="张三")


def rotate():
    call_command("rotate_keys")


def found_by(purpose, value):
    return Order.objects.filter(**{f"{purpose}_index__in": crypto.blind_indexes(value, purpose=purpose)}).exists()


def edit_consignee(pk, name):
    """Another process, which doesn't know the new keys yet."""
    order = Order.objects.get(pk=pk)
    with override_settings(**OLD if crypto.sealed_under(order.consignee_sealed) == "k1" else BOTH):
        consignee = dataclasses.replace(order.open_consignee(), name=name)
        changes = dataclasses.asdict(indexes(consignee, order.placed_at))
        Order.objects.filter(pk=pk).update(consignee_sealed=consignee.seal(order.order_no), **changes)


def test_an_order_opens_and_is_found_without_the_old_keys(order):
    rotate()
    with override_settings(**NEW):
        assert Order.objects.get().open_consignee().phone == PHONE
        assert found_by("phone", PHONE)
        assert found_by("name", "张三")


def test_an_order_opens_and_is_found_while_both_keys_live(order):
    assert Order.objects.get().open_consignee().phone == PHONE
    assert found_by("phone", PHONE)


def test_a_customer_keeps_its_phone():
    with override_settings(**OLD):
        make_customer(phone=PHONE)
    rotate()
    with override_settings(**NEW):
        customer = Customer.objects.get()
        assert customer.open_phone() == PHONE
        assert customer.phone_index == crypto.blind_index(PHONE, purpose="phone")


def test_both_secrets_of_a_webhook_endpoint_live_on():
    with override_settings(**OLD):
        endpoint, first = endpoints.add("https://shop.example.com/hooks")
        second = endpoints.rotate(endpoint)
    rotate()
    with override_settings(**NEW):
        assert endpoints.live_secrets(WebhookEndpoint.objects.get()) == [second, first]


def test_both_secrets_of_a_merchant_key_live_on():
    with override_settings(**OLD):
        key, first = merchant_keys.issue("商城", [])
        second = merchant_keys.rotate(key)
    rotate()
    with override_settings(**NEW):
        assert merchant_keys.live_secrets(MerchantKey.objects.get()) == [second, first]


def test_a_session_goes_on():
    with override_settings(**OLD):
        login = sessions.start(make_customer())
    rotate()
    session = BuyerSession.objects.get()
    with override_settings(**NEW):
        purpose = sessions.purpose_of(session.token_digest)
        assert crypto.open_sealed(session.secret_sealed, purpose=purpose) == login.sign_secret


def test_a_raw_message_stays_as_it_came():
    with override_settings(**OLD):
        body = crypto.seal("原文", purpose=messages.purpose_of("d" * 64))
        ProviderMessage.objects.create(provider="kdniao", kind="push", digest="d" * 64, body_sealed=body)
    rotate()
    with override_settings(**NEW):
        sealed = ProviderMessage.objects.get().body_sealed
        assert crypto.open_sealed(sealed, purpose=messages.purpose_of("d" * 64)) == "原文"


def test_what_wechat_pushed_stays_as_it_came():
    with override_settings(**OLD):
        body = crypto.seal("原文", purpose=events.purpose_of("d" * 64))
        WechatEvent.objects.create(key="d" * 64, event="x", body_sealed=body)
    rotate()
    with override_settings(**NEW):
        assert crypto.open_sealed(WechatEvent.objects.get().body_sealed, purpose=events.purpose_of("d" * 64)) == "原文"


def test_what_an_sms_service_reported_stays_as_it_came():
    with override_settings(**OLD):
        body = crypto.seal("原文", purpose=pushes.purpose_of("d" * 64))
        SmsPush.objects.create(service="aliyun", digest="d" * 64, body_sealed=body)
    rotate()
    with override_settings(**NEW):
        assert crypto.open_sealed(SmsPush.objects.get().body_sealed, purpose=pushes.purpose_of("d" * 64)) == "原文"


def test_every_sealed_column_of_the_project_is_in_the_table():
    """But for codes by SMS: they live two days, are looked for under all keys, and hold no phone to index anew."""
    columns = {
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if field.name.endswith(("_sealed", "_index")) or field.name == "sealed"
        if model is not SmsCode
    }
    rotated = {(table.model, name) for table in rotation.TABLES for name in (*table.sealed, *table.indexes)}
    assert columns == rotated


def test_an_order_without_consignee_is_passed_over(order):
    Order.objects.update(consignee_sealed="", phone_index="")
    rotate()
    assert Order.objects.get().phone_index == ""


def test_only_the_index_keys_may_be_new(order):
    with override_settings(
        BLIND_INDEX_KEYS=BOTH["BLIND_INDEX_KEYS"], FIELD_ENCRYPTION_KEYS=OLD["FIELD_ENCRYPTION_KEYS"]
    ):
        rotate()
        assert Order.objects.get().phone_index == crypto.blind_index(PHONE, purpose="phone")


def test_a_second_run_changes_nothing(order):
    rotate()
    before = list(Order.objects.values())
    rotate()
    assert list(Order.objects.values()) == before


SMALL_BATCHES = {
    "sealed": ("consignee_sealed",),
    "indexes": ("phone_index", "name_index", "tail_index"),
    "read": ("order_no", "placed_at"),
    "batch": 2,
}


def test_a_run_that_broke_off_is_taken_up(monkeypatch):
    with override_settings(**OLD):
        for _ in range(5):
            make_order()
    tables = [rotation.Rotated(Order, rotation._renew_order, **SMALL_BATCHES)]
    monkeypatch.setattr(rotation, "TABLES", tables)
    first = rotation.rotate()
    assert next(first).changed == 2
    first.close()
    assert [progress.changed for progress in rotation.rotate()][-1] == 3


def test_an_edit_between_reading_and_writing_is_not_lost(order, monkeypatch):
    renew, edits = rotation._renewed, iter(["李四", "王五"])

    def edited_meanwhile(table, row, progress):
        values = renew(table, row, progress)
        if table.model is Order and (name := next(edits, None)):
            edit_consignee(row.pk, name)
        return values

    monkeypatch.setattr(rotation, "_renewed", edited_meanwhile)
    rotate()
    with override_settings(**NEW):
        assert Order.objects.get().open_consignee().name == "王五"
        assert found_by("name", "王五")
        assert not found_by("name", "张三")


def test_a_row_deleted_meanwhile_is_no_fault(order, monkeypatch):
    monkeypatch.setattr(rotation, "_replace", lambda table, row, values: not Order.objects.filter(pk=row.pk).delete())
    rotate()


def test_a_row_that_never_stands_still_is_named(order, monkeypatch):
    monkeypatch.setattr(rotation, "_replace", lambda table, row, values: False)
    with pytest.raises(CommandError, match=f"订单 {order.pk}"):
        rotate()


def test_a_broken_seal_is_named_and_the_rest_goes_on(order):
    with override_settings(**OLD):
        other = make_order()
    Order.objects.filter(pk=order.pk).update(consignee_sealed="v1|k1|AAAA")
    with pytest.raises(CommandError, match=f"订单 {order.pk}"):
        rotate()
    other.refresh_from_db()
    assert crypto.sealed_under(other.consignee_sealed) == "k2"


def test_a_check_counts_and_changes_nothing(order, capsys):
    with pytest.raises(CommandError):
        call_command("rotate_keys", check=True)
    assert "订单：1 行，其中 1 行仍在旧密钥下" in capsys.readouterr().out
    assert crypto.sealed_under(Order.objects.get().consignee_sealed) == "k1"


def test_a_check_is_clean_afterwards(order):
    rotate()
    call_command("rotate_keys", check=True)
