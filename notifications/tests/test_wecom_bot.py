import contextlib
import datetime as dt

import pytest

from frozenshop.kernel import http, throttling
from frozenshop.kernel.http import ServiceError
from notifications.channels import wecom_bot
from notifications.channels.base import ChannelError, Letter, Taken

URL = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=test-only"


class Robot:
    def __init__(self) -> None:
        self.answer: object = {"errcode": 0, "errmsg": "ok"}
        self.got: list[str] = []

    def call(self, service, method, url, *, json, timeout):
        assert (service, method, url) == ("wecom_bot", "POST", URL)
        if isinstance(self.answer, Exception):
            raise self.answer
        self.got.append(json["markdown"]["content"])
        return self

    def json(self):
        if self.answer == "html":
            raise ValueError
        return self.answer


@pytest.fixture
def robot(settings, monkeypatch, frozen) -> Robot:
    settings.WECOM_BOT_URL, settings.REDIS_URL = URL, ""
    monkeypatch.setattr(throttling, "HERE", throttling.LocalLimits())
    found = Robot()
    monkeypatch.setattr(http, "call", found.call)
    return found


def send(**changes) -> Taken:
    return wecom_bot.send(Letter("", "n1-x", **{"title": "【紧急】停滞", "text": "订单 A1\n请处理", **changes}))


def refusal(robot: Robot, answer: object) -> ChannelError:
    robot.answer = answer
    with pytest.raises(ChannelError) as error:
        send()
    return error.value


def test_the_group_reads_title_and_text(robot):
    send(text="订单 A1\n\nhttps://shop.example.com/admin/1/")
    assert robot.got == ["**【紧急】停滞**\n订单 A1\n[打开](https://shop.example.com/admin/1/)"]


def test_a_text_calls_nobody(robot):
    send(text="<@all> <font color='warning'>x</font>")
    assert "<" not in robot.got[0]


def test_a_long_text_is_cut_between_characters(robot):
    send(text="冻" * 3000)
    assert wecom_bot.MOST_BYTES - 3 < len(robot.got[0].encode()) <= wecom_bot.MOST_BYTES


def test_never_more_than_twenty_in_any_minute(robot, frozen):
    sent = []
    for second in range(300):
        for _ in range(3):
            with contextlib.suppress(ChannelError):
                send()
                sent.append(second)
        frozen.shift(1)
    assert max(sum(at <= other < at + 60 for other in sent) for at in sent) <= 20
    assert len(sent) >= 75


def test_who_must_wait_is_told_how_long(robot):
    for _ in range(wecom_bot.BURST):
        send()
    error = refusal(robot, robot.answer)
    assert (error.code, error.permanent, error.trouble) == ("throttled", False, "")
    assert dt.timedelta(0) < error.retry_after <= dt.timedelta(seconds=4)


@pytest.mark.parametrize("errcode", [-1, 45009, 45033])
def test_what_passes_is_tried_again(robot, errcode):
    error = refusal(robot, {"errcode": errcode})
    assert (error.permanent, error.trouble, error.unknown) == (False, "", False)
    assert error.retry_after == wecom_bot.ERRCODES[errcode].waits


@pytest.mark.parametrize("errcode", [93000, 93004, 93008, 60020])
def test_a_robot_that_is_gone_needs_a_person(robot, errcode):
    error = refusal(robot, {"errcode": errcode})
    assert str(errcode) in error.trouble
    assert not error.permanent


@pytest.mark.parametrize("errcode", [40008, 40058, 44004, 45002, 12345])
def test_a_message_that_is_refused_goes_another_way(robot, errcode):
    error = refusal(robot, {"errcode": errcode})
    assert (error.permanent, error.code) == (True, str(errcode))


@pytest.mark.parametrize("answer", ["html", [], {"errcode": "0"}, {}])
def test_an_unreadable_answer_leaves_it_unknown(robot, answer):
    assert refusal(robot, answer).unknown


class Unsent(ServiceError):
    sent = False


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (ServiceError("wecom_bot", "没有按时回答", transient=True), True),
        (ServiceError("wecom_bot", "HTTP 502", transient=True, status=502), True),
        (ServiceError("wecom_bot", "HTTP 403", transient=False, status=403), False),
        (Unsent("wecom_bot", "无法连接", transient=True), False),
    ],
)
def test_without_an_answer_it_is_known_whether_it_was_sent(robot, error, unknown):
    assert refusal(robot, error).unknown is unknown


def test_without_its_address_the_robot_is_off(settings):
    settings.WECOM_BOT_URL = ""
    assert not wecom_bot.configured()
