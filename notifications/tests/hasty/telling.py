"""Buyers told by WeChat and SMS while worker, relay and the stand-ins are killed; what came of every letter."""

import time
from collections import Counter

from frozenshop.kernel.tests.processes import Killing
from notifications.tests.hasty import sandbox
from notifications.tests.hasty.apps import ANSWERS
from notifications.tests.hasty.fleet import HastyFleet, free_port

CUT, DOUBTED = "cut off", "no answer heard"


class TellingFleet(HastyFleet):
    """The web process, which hears events, isn't killed."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.web_port = free_port()
        self.web_url = f"http://127.0.0.1:{self.web_port}"
        self.environment |= {
            "ALIYUN_SMS_BASE_URL": self.url,
            "ALIYUN_SMS_ACCESS_KEY_ID": "test-key",
            "ALIYUN_SMS_ACCESS_KEY_SECRET": "test-secret",
            "ALIYUN_SMS_SIGN_NAME": "鲜冻",
            "SMS_DAILY_BUDGET": "1000000",
        }
        self.let_send(1)
        self.commands["sandbox"].append(self.web_url)
        self.commands["web"] = [
            *("-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.web_port)),
            *("--workers", "1", "--blocking-threads", "4", "--no-ws", "--log-level", "error"),
            "frozenshop.wsgi:application",
        ]

    def let_send(self, threads):
        """Let each process of the worker have so many letters under way."""
        self.threads = threads
        self.environment["NOTIFY_THREADS"] = str(threads)

    def prepare(self, count, *, told=True, only_wechat=False):
        self.migrate()
        self.run(
            "from notifications.tests.hasty.readers import prepare;"
            f"prepare({count}, told={told}, only_wechat={only_wechat})",
            seconds=60 + count / 50,
        )

    def tell(self, count, seconds, *, kill_every):
        """Run until every buyer's notice has its end, and every message's; return how long that took.

        One process dies each `kill_every` notices, but for the last few.
        """
        started = time.monotonic()
        killing = Killing(self, kill_every)
        while self.unsettled(count) or len(sandbox.heard(self.folder)) < self.by_wechat():
            assert time.monotonic() < started + seconds, f"{self.unsettled(count)} left; {self.fates()}\n{self.logs()}"
            self.keep_alive()
            if (left := self.unsettled(count)) > count / 50:
                killing.look(count - left)
            time.sleep(0.3)
        time.sleep(3)  # the last event may stand in the outbox
        return time.monotonic() - started

    def unsettled(self, count):
        settled = self.rows("SELECT COUNT(*) FROM notifications_notice WHERE state <> 'waiting'")[0][0]
        return count - settled

    def by_wechat(self):
        return sum(message.kind == sandbox.WECHAT for message in sandbox.messages(self.folder))

    def received(self):
        """How many messages each buyer's phone received, whatever the channel, as the stand-ins counted."""
        return Counter(int(message.to[-8:]) for message in sandbox.messages(self.folder))

    def fates(self):
        """What became of the notices: (state, why) by number."""
        return Counter(dict(self._counted("SELECT state, why, COUNT(*) FROM notifications_notice GROUP BY 1, 2")))

    def _counted(self, sql):
        return [((state, why), number) for state, why, number in self.rows(sql)]

    def doubts(self):
        """What became of the letters whose answer was never heard: (channel, how, taken, state) by number.

        `cut off`: the process died between claim and answer; else the stand-in did, before it had answered.
        """
        lines = [line.split() for line in (self.folder / ANSWERS).read_text().splitlines()]
        answers = dict(lines)
        messages = sandbox.messages(self.folder)
        references = {message.reference for message in messages}
        openids = {message.to for message in messages}
        found = Counter()
        rows = self.rows(
            "SELECT d.reference, d.channel, d.state, c.openid FROM notifications_delivery d"
            " JOIN notifications_notice n ON n.id = d.notice_id JOIN orders_order o ON o.id = n.order_id"
            " JOIN orders_customer c ON c.id = o.customer_id"
        )
        for reference, channel, state, openid in rows:
            if answers.get(reference) == "known":
                continue
            taken = openid in openids if channel == "wechat_subscribe" else reference in references
            found[channel, DOUBTED if reference in answers else CUT, "taken" if taken else "never taken", state] += 1
        return found

    def most_cut_off(self):
        """How many letters the deaths of the worker can have cut off at most."""
        return self.deaths["worker"] * self.concurrency * self.threads


def verdict(fleet, count):
    """Return the figures, and raise AssertionError where somebody was told twice or something has no end."""
    received, fates, doubts = fleet.received(), fleet.fates(), fleet.doubts()
    cut = sum(number for (_, how, _, _), number in doubts.items() if how == CUT)
    assert max(received.values()) == 1, [buyer for buyer, number in received.items() if number > 1][:10]
    assert sum(fates.values()) == count, fates
    assert set(fates) <= {("told", ""), ("not_told", "unknown")}, fates
    assert cut <= fleet.most_cut_off(), (cut, fleet.most_cut_off())
    # What can be asked, or reports by itself, is settled: only WeChat's silence about what it never took stays.
    open_ends = {key: number for key, number in doubts.items() if key[3] in ("sending", "unknown")}
    assert set(open_ends) <= {("wechat_subscribe", how, "never taken", "unknown") for how in (CUT, DOUBTED)}, open_ends
    assert sum(open_ends.values()) == fates["not_told", "unknown"] == count - len(received)
    return {
        "messages": count,
        "received_once": len(received),
        "received_twice": 0,
        "killed": dict(fleet.kills),
        "cut_off": cut,
        "cut_off_at_most": fleet.most_cut_off(),
        "doubts": {" / ".join(key): number for key, number in sorted(doubts.items())},
        "never_told": fates["not_told", "unknown"],
    }
