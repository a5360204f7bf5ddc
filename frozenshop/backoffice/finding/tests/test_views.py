import pytest
from django.contrib.auth.models import User

from frozenshop.backoffice.finding import views
from frozenshop.backoffice.finding.models import SavedView
from frozenshop.backoffice.roles import ensure_roles
from frozenshop.backoffice.tests.pages import ORDERS, listed, messages, text
from frozenshop.kernel.errors import Invalid, NotPossible
from logistics.models import Carrier
from logistics.tests.factories import make_carrier
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db
VIEWS = f"{ORDERS}views/"


@pytest.fixture
def user() -> User:
    return User.objects.create_user("somebody")


def save(client, name="待付款", **data):
    return client.post(VIEWS, {"name": name, "status__exact": "placed", **data}, follow=True)


def test_a_view_holds_the_filters_and_never_the_search(lead):
    make_order(order_no="A")
    make_order("paid", order_no="B")
    shown = save(lead, q="13812341234", find="token", o="1", note__contains="x")
    assert listed(shown) == ["A"]
    assert SavedView.objects.get().filters == {"status__exact": "placed"}


def test_a_view_is_a_tab_of_its_owner_alone(lead, service):
    save(lead)
    assert "待付款" in [tab["view"].name for tab in lead.get(ORDERS).context["cl"].tabs]
    assert "待付款" not in [tab["view"].name for tab in service.get(ORDERS).context["cl"].tabs]


def test_a_shared_view_is_everybodys_tab(lead, service):
    save(lead, shared="1")
    assert "待付款" in [tab["view"].name for tab in service.get(ORDERS).context["cl"].tabs]


def test_only_who_may_share_shares(service):
    assert service.post(VIEWS, {"name": "x", "status__exact": "placed", "shared": "1"}).status_code == 403
    assert not SavedView.objects.exists()


def test_the_tab_that_is_looked_at_is_marked(lead):
    save(lead)
    own = SavedView.objects.get()
    for query, name in (
        ({"todo": "due_today"}, "今天该到没到"),
        ({"status__exact": "placed", "view": own.pk}, "待付款"),
    ):
        marked = [tab["view"].name for tab in lead.get(ORDERS, query).context["cl"].tabs if tab["selected"]]
        assert marked == [name]


def test_a_view_is_renamed_shared_and_deleted_by_its_owner(lead):
    save(lead)
    page = f"{VIEWS}{SavedView.objects.get().pk}/"
    lead.post(page, {"name": "没付款的", "shared": "1"})
    view = SavedView.objects.get()
    assert (view.name, view.shared) == ("没付款的", True)
    lead.post(page, {"delete": "1"})
    assert not SavedView.objects.exists()


def test_nobody_changes_another_persons_view(lead, service):
    save(lead)
    page = f"{VIEWS}{SavedView.objects.get().pk}/"
    for data in ({"name": "mine"}, {"delete": "1"}):
        assert "没有这个视图" in messages(service.post(page, data, follow=True))
    assert SavedView.objects.get().name == "待付款"


def test_a_shared_view_is_deleted_by_whoever_may_share(root, lead):
    save(root, shared="1")
    lead.post(f"{VIEWS}{SavedView.objects.get().pk}/", {"delete": "1"})
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("name", ["", "  ", "x" * 31, "13812341234", "138 1234 1234", "１３８１２３４１２３４"])
def test_a_name_is_short_and_holds_no_number_of_a_person(user, name):
    with pytest.raises(Invalid):
        views.save(user, name, {"todo": "late"}, [], shared=False)


def test_a_view_without_filters_is_refused_in_a_sentence(lead):
    assert "没有可以保存的筛选" in messages(lead.post(VIEWS, {"name": "x", "q": "张三"}, follow=True))


@pytest.mark.parametrize("again", ["急单", "急 单 ".replace(" 单", "单"), "急单 "])
def test_a_name_is_taken_once_by_one_person(user, again):
    views.save(user, "急单", {"todo": "late"}, [], shared=False)
    with pytest.raises(NotPossible):
        views.save(user, again, {"todo": "stale"}, [], shared=False)


def test_a_shared_name_is_taken_once_by_all(user):
    other = User.objects.create_user("other")
    views.save(user, "急单", {"todo": "late"}, [], shared=True)
    mine = views.save(other, "急单", {"todo": "late"}, [], shared=False)
    with pytest.raises(NotPossible):
        views.change(other, mine.pk, "急单", shared=True)
    assert not SavedView.objects.get(pk=mine.pk).shared


def test_a_person_keeps_no_more_views_than_can_be_looked_at(user, monkeypatch):
    monkeypatch.setattr(views, "MOST", 1)
    views.save(user, "一", {"todo": "late"}, [], shared=False)
    with pytest.raises(NotPossible):
        views.save(user, "二", {"todo": "late"}, [], shared=False)


@pytest.mark.parametrize("view", views.BUILT_IN, ids=lambda view: view.name)
def test_every_built_in_view_leads_to_a_list_that_is_filtered(lead, view):
    make_order(order_no="A")
    shown = lead.get(ORDERS + view.query)
    assert listed(shown) == []
    assert view.name in text(shown)


def test_the_page_of_views_names_who_shared_what(lead, service):
    ensure_roles()
    save(lead, shared="1")
    shown = text(service.get(VIEWS))
    assert "由 主管 建立" in shown
    assert 'name="delete"' not in shown


@pytest.mark.parametrize("view", ["0", "x", "9" * 30, "１", "-1"])
def test_a_made_up_view_changes_nothing(lead, view):
    make_order(order_no="A")
    assert listed(lead.get(ORDERS, {"view": view})) == ["A"]


NONSENSE = {
    "todo": "工作清单", "status__exact": "状态", "alert": "预警", "carrier": "承运商", "category": "商品类目",
    "placed_within": "下单日期", "placed_from": "下单日期", "placed_to": "下单日期",
}  # fmt: skip


def test_each_filter_of_a_view_is_named():
    assert set(NONSENSE) == set(views.FILTERS)


@pytest.mark.parametrize(("filters", "label"), [
    *(({name: "废话"}, label) for name, label in NONSENSE.items()),
    ({"placed_to": "9999-12-31"}, "下单日期"), ({"placed_from": "2026-02-30"}, "下单日期"),
    ({"placed_from": "2026-11-02", "placed_to": "2026-11-01"}, "前后颠倒"),
])  # fmt: skip
def test_a_view_with_a_value_that_is_none_is_refused_and_named(lead, filters, label):
    make_order(order_no="A")
    shown = lead.post(VIEWS, {"name": "x", "todo": "to_ship", **filters}, follow=True)
    assert "视图没有保存" in messages(shown)
    assert label in messages(shown)
    assert not SavedView.objects.exists()
    assert shown.context["cl"].chosen_filters.items() <= {"todo": "to_ship", "placed_from": "2026-11-02"}.items()


@pytest.mark.parametrize("filters", [
    {"placed_from": "2026-11-01", "placed_to": "2026-11-01"}, {"placed_to": "2026-11-01"}, {"placed_within": "7"},
    {"alert": "stale"}, {"status__exact": "refunded"},
])  # fmt: skip
def test_what_a_filter_knows_is_kept(lead, filters):
    assert views.save(User.objects.get(username="主管"), "x", filters, [], shared=False).filters == filters
    assert not messages(lead.get(ORDERS, filters))


def test_a_view_whose_carrier_went_says_so_where_it_is_opened_and_listed(lead):
    carrier = make_carrier("XX", name="某快递")
    make_order(order_no="A")
    assert "已保存" in messages(save(lead, carrier="XX"))
    address = f"{ORDERS}{views.shown(SavedView.objects.get()).query}"
    assert (listed(lead.get(address)), messages(lead.get(address))) == ([], "")
    Carrier.objects.filter(pk=carrier.pk).update(enabled=False)
    shown = lead.get(address)
    assert listed(shown) == ["A"]
    assert "筛选“承运商”没有“XX”这一项" in messages(shown)
    assert "筛选“承运商”没有“XX”这一项" in text(lead.get(VIEWS))


@pytest.mark.parametrize("name", NONSENSE)
def test_a_list_says_of_which_filter_nothing_came(lead, name):
    make_order(order_no="A")
    shown = lead.get(ORDERS, {name: "废话"})
    assert listed(shown) == ["A"]
    assert f"筛选“{NONSENSE[name]}”" in messages(shown)
    assert "废话" in messages(shown)


def test_who_may_not_see_orders_is_told_nothing_of_filters(login):
    assert login().get(ORDERS, {"carrier": "废话"}).status_code == 403
