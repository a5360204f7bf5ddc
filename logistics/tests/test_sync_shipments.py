"""`manage.py sync_shipments` and its exit codes."""

import pytest
from django.core.management import CommandError, call_command

from logistics.models import Shipment
from logistics.models import ShipmentStatus as S
from logistics.tests.test_polling import NO, answer, due, fresh, refused
from logistics.tests.tracked import tracked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


def test_it_asks_about_all_that_is_due_and_nothing_else(fake_http, capsys):
    fake_http.will_answer(answer())
    shipment = due()
    tracked("SF0000000000002")
    call_command("sync_shipments")
    assert (fresh(shipment).status, len(fake_http.calls)) == (S.OUT_FOR_DELIVERY, 1)
    assert "已更新 1" in capsys.readouterr().out


def test_with_nothing_due_it_is_done(fake_http, capsys):
    call_command("sync_shipments")
    assert "已更新 0" in capsys.readouterr().out


def test_a_named_waybill_is_asked_about_though_it_is_not_due(fake_http):
    fake_http.will_answer(answer())
    tracked()
    call_command("sync_shipments", "--waybill", NO)
    assert len(fake_http.calls) == 1


def test_what_could_not_be_asked_is_named_and_is_a_failure(fake_http, capsys):
    fake_http.will_answer(refused("手机尾号不能为空"))
    due()
    with pytest.raises(CommandError) as caught:
        call_command("sync_shipments")
    assert caught.value.returncode == 1
    assert f"{NO}  手机尾号不能为空" in capsys.readouterr().out


def test_each_due_parcel_is_tried_once_even_if_it_stays_due(fake_http):
    fake_http.will_answer(refused("未知错误"))
    for n in range(3):
        due(f"SF000000000000{n}")
    with pytest.raises(CommandError):
        call_command("sync_shipments")
    assert len(fake_http.calls) == Shipment.objects.count()


def test_an_unknown_waybill_is_wrong_use():
    with pytest.raises(CommandError) as caught:
        call_command("sync_shipments", "--waybill", "NOBODY1")
    assert caught.value.returncode == 2
