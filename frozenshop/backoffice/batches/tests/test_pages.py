"""The pages of batches: whose they are, what they show, what they let do."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from frozenshop.backoffice.batches import moves
from frozenshop.backoffice.batches.models import Batch, BatchRow
from frozenshop.backoffice.batches.pages import batches_of
from frozenshop.backoffice.batches.tests.doing import make_batch, start, work
from frozenshop.backoffice.models import OrderNote
from frozenshop.backoffice.signin import recent
from frozenshop.backoffice.tests.pages import listed, messages, text
from frozenshop.kernel import clock
from frozenshop.kernel.models import AuditEntry

pytestmark = pytest.mark.django_db
LIST = "/admin/backoffice/batch/"


def page(batch, name="change", *more):
    return reverse(f"admin:backoffice_batch_{name}", args=[batch.pk, *more])


def sign_in(user):
    client = Client()
    client.force_login(user)
    session = client.session
    session[recent.PROVED_AT] = clock.now().timestamp()
    session.save()
    return client


@pytest.fixture
def client(owner):
    return sign_in(owner)


@pytest.fixture
def second(person):
    return sign_in(person("second"))


@pytest.fixture
def clerk(person):
    return sign_in(person("clerk", "客服"))


def test_everybody_sees_their_own_and_who_may_everybodys(owner, person, second):
    make_batch(owner, "A")
    colleague = person("colleague", "客服")
    make_batch(colleague, "B")
    assert len(listed(sign_in(colleague).get(LIST))) == 1
    assert len(listed(second.get(LIST))) == 2


@pytest.mark.parametrize("name", ["change", "progress", "report", "file"])
def test_somebody_elses_batch_is_not_there(owner, clerk, name):
    assert clerk.get(page(make_batch(owner, "A"), name)).status_code == 404


def test_the_page_says_how_far_it_is_and_who_began_it(owner, client):
    batch = start(make_batch(owner, "A", "NO", "B"))
    shown = text(client.get(page(batch)))
    assert "batches.js" in shown
    work()
    shown = text(client.get(page(batch)))
    assert "完成 2 · 未处理 1 · 共 3" in shown
    assert "owner" in shown
    assert "这一行不行" in shown
    assert "batches.js" not in shown


def test_the_progress_is_told_to_the_page_that_watches(owner, client):
    batch = start(make_batch(owner, "A", "B"))
    assert client.get(page(batch, "progress")).json()["ended"] is False
    work()
    told = client.get(page(batch, "progress"))
    assert told.json() == {
        "state": "done", "label": "已完成", "percent": 100, "done": 2, "refused": 0, "total": 2, "ended": True,
    }  # fmt: skip
    assert "no-store" in told["Cache-Control"]


def test_the_rows_are_paged_by_their_numbers(owner, client):
    batch = make_batch(owner, *(f"A{n}" for n in range(1, 121)))

    def shown(**query):
        return [row.number for _, row in client.get(page(batch), query).context["rows"]["shown"]]

    assert (shown()[0], shown()[-1]) == (1, 50)
    assert (shown(after=50)[0], shown(after=100)) == (51, list(range(101, 121)))
    assert (shown(before=101)[0], shown(before=101)[-1], shown(before=51)) == (51, 100, list(range(1, 51)))
    assert shown(after="x") == shown()


def test_the_rows_of_one_state_can_be_looked_at_alone(owner, client):
    batch = start(make_batch(owner, "A", "NO", "B"))
    work()
    assert [row.about for _, row in client.get(page(batch), {"row": "refused"}).context["rows"]["shown"]] == ["NO"]


def test_the_report_is_a_file_without_formulas_and_taking_it_is_recorded(owner, client):
    batch = make_batch(owner, "=1+1", "A")
    lines = b"".join(client.get(page(batch, "report"))).decode("utf-8-sig").splitlines()
    assert lines == ["行号,对象,结果,说明", "1,'=1+1,待处理,", "2,A,待处理,"]
    assert AuditEntry.objects.filter(action="batch.report_taken", subject=f"batch:{batch.pk}").exists()


def test_its_owner_cancels_it(owner, client):
    batch = start(make_batch(owner, "A"))
    client.post(page(batch, "act", "cancel"))
    assert Batch.objects.get().state == "cancelled"
    assert AuditEntry.objects.filter(action="batch.cancel").count() == 1


def test_a_second_person_approves_on_its_page(owner, client, second):
    batch = start(make_batch(owner, "A", kind="guarded"))
    assert client.post(page(batch, "act", "approve")).status_code == 403
    assert "批准" in text(second.get(page(batch)))
    second.post(page(batch, "act", "approve"))
    assert (Batch.objects.get().state, Batch.objects.get().approver_name) == ("queued", "second")


def test_approving_asks_who_is_there_unless_that_was_shown_lately(owner, person):
    batch = start(make_batch(owner, "A", kind="guarded"))
    absent = Client()
    absent.force_login(person("second"))
    asked = absent.post(page(batch, "act", "approve"))
    assert asked[recent.ASKED_HEADER] == "required"
    assert Batch.objects.get().state == "waiting"


def test_declining_wants_a_reason(owner, second):
    batch = start(make_batch(owner, "A", kind="guarded"))
    assert "请填写原因" in messages(second.post(page(batch, "act", "decline"), follow=True))
    second.post(page(batch, "act", "decline"), {"reason": "太多了"})
    assert Batch.objects.get().message == "second 没有批准：太多了"


def test_what_was_done_is_undone_on_its_page_which_says_what_that_does(owner, client):
    batch = start(make_batch(owner, "A", "B"))
    work()
    assert "删除 2 条备注" in text(client.get(page(batch)))
    shown = client.post(page(batch, "act", "undo"), {"reason": "弄错了"}, follow=True)
    work()
    assert not OrderNote.objects.exists()
    assert "撤销：一批备注" in text(shown)
    assert "撤销（#" in text(client.get(page(batch)))
    assert AuditEntry.objects.get(action="batch.undo").reason == "弄错了"


def test_where_it_is_too_late_no_undo_is_offered(owner, client):
    batch = start(make_batch(owner, "A", scanned=True))
    work()
    assert "撤销这个任务" not in text(client.get(page(batch)))
    assert "承运商已揽收" in messages(client.post(page(batch, "act", "undo"), {"reason": "x"}, follow=True))


def test_only_its_owner_lets_it_go_on_in_their_name(owner, client, second):
    batch = start(make_batch(owner, "NO"))
    work()
    assert second.post(page(batch, "act", "again")).status_code == 403
    client.post(page(batch, "act", "again"))
    assert Batch.objects.get().state == "queued"


def test_an_act_by_mere_looking_does_nothing(owner, client):
    batch = start(make_batch(owner, "A"))
    client.get(page(batch, "act", "cancel"))
    assert Batch.objects.get().state == "queued"
    assert client.post(page(batch, "act", "nonsense")).status_code == 404


@pytest.mark.parametrize(("rows", "what"), [(3, "change"), (120, "change"), (3, "list"), (120, "list")])
def test_the_pages_ask_little_however_many_rows_there_are(owner, client, rows, what):
    batch = start(make_batch(owner, *(f"A{n}" for n in range(rows))))
    address = LIST if what == "list" else page(batch)
    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        client.get(address)
    assert len(captured) <= 12


def test_an_order_knows_the_batches_that_were_about_it(owner):
    batch = make_batch(owner, "A-1", "B-2")
    assert [(row.batch, row.number) for row in batches_of("A-1")] == [(batch, 1)]


def test_a_row_shows_nothing_of_what_was_given(owner, client):
    batch = make_batch(owner, "A")
    row = BatchRow.objects.get()
    row.seal_given({"name": "慕容绝"})
    row.save()
    assert "慕容绝" not in text(client.get(page(batch)))
    assert row.given == {"name": "慕容绝"}


def test_a_kind_of_another_release_is_shown_all_the_same(owner, client):
    batch = make_batch(owner, "A")
    Batch.objects.update(kind="of_tomorrow")
    assert "of_tomorrow" in text(client.get(page(batch)))
    moves.cancel(batch)
