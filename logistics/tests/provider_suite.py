"""What every tracking provider must get right. A provider's tests inherit `ProviderSuite` and fill in its wire form."""

import datetime as dt
import logging
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st

from frozenshop.kernel import http
from logistics.models import ShipmentStatus
from logistics.providers.base import MAX_PUSH_BYTES, Forged, ProviderError, Question, Unreadable, get_provider
from logistics.tests.fake_http import FakeHttp

NOISE = [b"", b"\xff\xfe\x00", b"{", b"[]", b"null", b"{}", b"a=1", b"=&=&=", b"<xml/>", b'{"a":' * 5000, b"%" * 999]


SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


def anything(*fields: str) -> st.SearchStrategy[Any]:
    """Any JSON, often with a provider's own field names, and lists of objects with none but these."""
    field = st.sampled_from(fields)
    deep = st.recursive(
        SCALAR, lambda inner: st.lists(inner) | st.dictionaries(field | st.text(), inner), max_leaves=20
    )
    return deep | st.lists(st.dictionaries(field, deep))


class Scan(NamedTuple):
    time: str
    text: str
    code: str


FIRST = Scan("2026-11-20 08:00:00", "已收件", "")
SECOND = Scan("2026-11-21 09:30:00", "运输中", "")
THIRD = Scan("2026-11-22 07:10:00", "派件中", "")


class ProviderSuite:
    """`name` is the registered name; `secrets` must never be seen in a log."""

    name: str
    secrets: tuple[str, ...]
    bad_key_answer: Any
    waybill_no = "TEST0000000001"
    path_secret = ""
    """The last part of the callback's path, for providers that have one there."""

    def push(self, *scans: Scan) -> bytes:
        """Return an authentic push about `waybill_no`, its scans in the order given."""
        raise NotImplementedError

    def signed(self, text: str) -> bytes:
        """Return an authentic push whose inner text is `text`."""
        raise NotImplementedError

    def answered(self, *scans: Scan) -> Any:
        """Return an answer to a query about `waybill_no`."""
        raise NotImplementedError

    def forged(self, body: bytes) -> bytes:
        """Return an authentic push with its content altered after signing."""
        raise NotImplementedError

    @property
    def provider(self):
        return get_provider(self.name)

    @property
    def question(self) -> Question:
        return Question("SF", self.waybill_no, "1234")

    def test_it_is_on_with_its_keys(self):
        assert self.provider.configured()

    def test_an_authentic_push_passes(self):
        self.provider.authenticate(self.push(FIRST), self.path_secret)

    def test_a_forged_push_is_refused(self):
        with pytest.raises(Forged):
            self.provider.authenticate(self.forged(self.push(FIRST)), self.path_secret)

    @pytest.mark.parametrize("body", NOISE, ids=range(len(NOISE)))
    def test_noise_is_refused_without_failing(self, body):
        with pytest.raises((Forged, Unreadable)):
            self.provider.authenticate(body, self.path_secret)

    @pytest.mark.parametrize("text", ["", "null", "{}", "[1]", "{", '"x"', "[" * 5000, '{"a":' * 200])
    def test_a_signed_push_that_makes_no_sense_is_unreadable(self, text):
        with pytest.raises(Unreadable):
            self.provider.parse(self.signed(text or " "))

    def test_a_push_over_the_limit_is_unreadable(self):
        with pytest.raises(Unreadable):
            self.provider.authenticate(self.signed("x" * MAX_PUSH_BYTES), self.path_secret)

    def test_an_unknown_code_is_unknown_and_counted(self):
        (report,) = self.provider.parse(self.push(FIRST._replace(code="98765")))
        assert report.events[0].status == ShipmentStatus.UNKNOWN
        assert report.unknown_codes == (("98765", "已收件"),)

    def test_a_repeated_scan_is_reported_once(self):
        assert self.provider.parse(self.push(FIRST, FIRST)) == self.provider.parse(self.push(FIRST))

    def test_scans_are_reported_oldest_first_however_they_come(self):
        (report,) = self.provider.parse(self.push(THIRD, FIRST, SECOND))
        assert [event.text for event in report.events] == ["已收件", "运输中", "派件中"]

    def test_a_time_without_zone_is_shanghai(self):
        (report,) = self.provider.parse(self.push(FIRST))
        assert report.events[0].occurred_at == dt.datetime(2026, 11, 20, 0, 0, tzinfo=dt.UTC)

    def test_an_answer_reports_as_a_push_does(self, fake_http: FakeHttp):
        fake_http.will_answer(self.answered(FIRST, SECOND))
        (pushed,) = self.provider.parse(self.push(FIRST, SECOND))
        assert self.provider.query(self.question).events == pushed.events

    @pytest.mark.parametrize("transient", [True, False])
    def test_no_answer_can_be_tried_again_unless_the_seam_says_it_is_useless(self, fake_http: FakeHttp, transient):
        fake_http.will_answer(http.ServiceError(self.name, "no answer", transient=transient))
        with pytest.raises(ProviderError) as caught:
            self.provider.query(self.question)
        assert caught.value.permanent is not transient

    @pytest.mark.parametrize("content", ["", "<html>", "[]", "null", "[" * 5000])
    def test_an_answer_that_makes_no_sense_can_be_tried_again(self, fake_http: FakeHttp, content):
        fake_http.will_answer(content)
        with pytest.raises(ProviderError) as caught:
            self.provider.query(self.question)
        assert not caught.value.permanent

    def test_a_bad_key_is_permanent(self, fake_http: FakeHttp):
        fake_http.will_answer(self.bad_key_answer)
        with pytest.raises(ProviderError) as caught:
            self.provider.query(self.question)
        assert caught.value.permanent

    def test_no_secret_reaches_a_log_or_an_error(self, fake_http: FakeHttp, caplog, capfd):
        caplog.set_level(logging.DEBUG)
        fake_http.will_answer(self.bad_key_answer)
        with pytest.raises(ProviderError) as caught:
            self.provider.query(self.question)
        written = caplog.text + "".join(capfd.readouterr()) + str(caught.value)
        assert not [secret for secret in (*self.secrets, "1234") if secret in written]
