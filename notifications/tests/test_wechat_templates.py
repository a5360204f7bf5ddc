import pytest
from django.core.cache import cache

from frozenshop.kernel import outbox
from frozenshop.kernel.models import OutboxMessage
from frozenshop.kernel.tests import stores
from notifications import previews
from notifications.models import MessageTemplate, Milestone
from notifications.tests.wechat_sim import SIGNED, Sim, sim, template
from notifications.wechat import tasks, templates  # noqa: F401 - registers the consumers
from notifications.wechat.templates import Listed, preview

__all__ = ["sim"]
LABELS = {"character_string1": "订单编号", "thing2": "商品名称", "time3": "签收时间"}
LISTED = Listed(SIGNED, "订单签收通知", LABELS)


def make(**changes):
    given = {
        "channel": "wechat_subscribe",
        "milestone": "delivered",
        "template_id": SIGNED,
        "fields": {"character_string1": "{order_no}", "thing2": "{lines}", "time3": "{time}"},
    }
    return MessageTemplate(**given | changes)


def test_a_preview_shows_what_the_buyer_would_see():
    shown = preview(make(page="pages/order/detail?order_no={order_no}"), listed=LISTED)
    assert [(line.label, line.text) for line in shown.lines] == [
        ("订单编号", "A20261122001"),
        ("商品名称", "虾仁×2、鳕鱼×1"),
        ("签收时间", "2026年11月22日 09:30"),
    ]
    assert (shown.title, shown.page, shown.problems) == ("订单签收通知", "pages/order/detail?order_no=A20261122001", ())


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"thing2": "{goods}"}, "没有变量 {goods}"),
        ({"time3": "{eta} 前后"}, "time3：“2026年11月23日 15:00 前后”不符合规则"),
        ({"character_string1": "订单{order_no}"}, "不能有汉字"),
        ({"thing9": "x"}, "模板里没有字段 thing9"),
        ({"quantity1": "x"}, "不是微信的字段名"),
        ({"thing2": "{订单号}"}, "“{订单号}”里的变量写法不对"),
        ({"thing2": "{lines}" + "请尽快放入冰箱冷冻保存" * 2}, "thing2：固定文字有 22 个字，总会被截断。最多 20 个字"),
    ],
)
def test_a_mapping_that_breaks_a_rule_is_named_with_the_way_out(fields, told):
    problems = preview(make(fields=make().fields | fields), listed=LISTED).problems
    assert any(told in problem for problem in problems), problems


def test_words_that_make_a_text_long_are_cut_and_no_fault_of_the_mapping():
    assert not preview(make(fields=make().fields | {"thing2": "{lines}{lines}{lines}，请查收"}), listed=LISTED).problems


def test_a_template_without_a_number_is_told_to_have_one(sim):
    problems = previews.look(make(template_id="")).problems
    assert problems[0] == "模板编号没有填写：照微信后台的填"


def test_a_missing_field_is_named():
    [problem] = preview(make(fields={"character_string1": "{order_no}", "thing2": "{lines}"}), listed=LISTED).problems
    assert problem == "缺少字段 time3（签收时间）：每个字段都要有内容"
    assert preview(make(fields={})).problems


def test_what_only_a_long_order_breaks_is_found():
    [problem] = preview(make(fields={"phrase1": "{carrier}"}), {"carrier": "顺丰"}).problems
    assert problem.startswith("商品较多时：phrase1")


@pytest.mark.parametrize("page", ["/pages/order", "pages/a b", "https://x", "pages/order?name={name}", "pages/订单"])
def test_a_page_that_can_not_be_opened_is_refused(page):
    assert any("点击打开" in problem for problem in preview(make(page=page)).problems)


def test_a_word_that_may_be_empty_is_warned_of_where_nothing_can_stand_for_it():
    warned = preview(make(fields={"time3": "{eta}", "thing2": "{location}"})).warnings
    assert len(warned) == 1
    assert "time3" in warned[0]


def test_legacy_fields_of_the_official_account_have_no_rule():
    fields = {"first": "您好", "keyword1": "x" * 50}
    assert preview(make(channel="wechat_official", fields=fields)).problems == ()


def test_an_enum_is_checked_where_its_values_are_known():
    listed = Listed("t", "x", {"enum1": "状态"}, {"enum1": ("是",)})
    assert preview(make(fields={"enum1": "否"}), listed=listed).problems
    assert not preview(make(fields={"enum1": "否"})).problems


@pytest.mark.parametrize("milestone", list(templates.TITLES))
def test_no_preview_holds_personal_data(milestone):
    shown = preview(make(milestone=milestone, fields={"thing1": "{name}", "phone_number2": "{shop_phone}"}))
    assert "张*" in shown.lines[0].text


# --- against WeChat's own list --------------------------------------------------------------------


@pytest.mark.django_db
def test_the_list_is_read_once_in_ten_minutes(sim: Sim):
    assert templates.listed("wechat_subscribe")[SIGNED] == LISTED
    assert templates.listed("wechat_subscribe")
    assert len(sim.asked_for("/wxaapi/newtmpl/gettemplate")) == 1
    assert {one.title for one in templates.listed("wechat_official").values()} >= {"商品签收提醒"}


@pytest.mark.django_db
def test_a_template_that_is_gone_is_stopped_and_goes_on_when_it_is_back(sim: Sim):
    row = template()
    assert templates.check_all() == 0
    gone = sim.messages.templates.pop(SIGNED)
    assert templates.check_all() == 1
    row.refresh_from_db()
    assert row.trouble.startswith("核对：微信后台没有编号")
    sim.messages.templates[SIGNED] = gone
    assert templates.check_all() == 0


@pytest.mark.django_db
def test_fields_that_changed_at_wechat_are_found(sim: Sim):
    row = template()
    sim.messages.templates[SIGNED].fields = {"thing1": "商品"}
    templates.check_all()
    row.refresh_from_db()
    assert "缺少字段 thing1（商品）" in row.trouble


@pytest.mark.django_db
def test_what_a_person_must_clear_stays(sim: Sim):
    row = template()
    templates.stop("wechat_subscribe", SIGNED, "订阅消息能力或模板被封禁（43107）")
    templates.check_all()
    row.refresh_from_db()
    assert "43107" in row.trouble


@pytest.mark.django_db
def test_an_account_that_can_not_be_asked_changes_nothing(sim: Sim):
    row = template(template_id="gone")
    sim.force(-1, "/wxaapi/newtmpl/gettemplate")
    templates.check_all()
    row.refresh_from_db()
    assert row.trouble == ""


@pytest.mark.django_db
def test_templates_are_taken_over_from_wechat_ready_to_use(sim: Sim):
    cache.clear()
    made = templates.adopt()
    assert {row.milestone for row in made if row.channel == "wechat_subscribe"} == set(templates.TITLES)
    assert [(row.milestone, row.trouble) for row in made if row.trouble] == []
    assert (
        MessageTemplate.objects.get(channel="wechat_subscribe", milestone=Milestone.SHIPPED).fields["thing3"]
        == "{carrier}"
    )
    assert templates.adopt() == []


@pytest.mark.django_db
@pytest.mark.parametrize("demo", [True, False])
def test_only_the_local_demo_takes_templates_over_by_itself(sim: Sim, settings, demo):
    settings.LOCAL_DEMO = demo
    outbox.enqueue("notifications.check_templates")
    outbox.deliver(OutboxMessage.objects.get().pk)
    assert MessageTemplate.objects.exists() is demo


@pytest.mark.django_db
@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": "x"}])
def test_an_answer_without_a_list_stops_no_template(sim: Sim, monkeypatch, answer):
    template()
    monkeypatch.setattr(templates.client, "authorised_get", lambda *args, **kwargs: answer)
    assert templates.check_all() == 0


@pytest.mark.django_db
def test_templates_are_compared_while_the_cache_is_away(sim: Sim, monkeypatch):
    stores.take_cache_away(monkeypatch)
    one = template()
    assert previews.look(one).problems == ()
    assert templates.check_all() == 0
