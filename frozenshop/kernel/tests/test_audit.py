import datetime as dt
import json
from io import StringIO

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import override_settings

from frozenshop.kernel import audit, clock, leases
from frozenshop.kernel.actor import SYSTEM, Actor, Source
from frozenshop.kernel.audit import chain as sealing
from frozenshop.kernel.models import AuditEntry, AuditSeal

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def moment():
    with time_machine.travel(NOW, tick=False) as frozen:
        yield frozen


@pytest.fixture
def chain():
    """Six sealed rows."""
    rows = [
        audit.record("staff:1", "order.unmasked", f"order:FD{n}", reason="核对", details={"n": n}) for n in range(6)
    ]
    audit.seal_pending()
    return rows


def fault():
    return audit.verify().fault


def test_an_act_is_recorded_with_its_actor_subject_and_reason():
    entry = audit.record(
        Actor(Source.STAFF, "staff:7"), "order.unmasked", "order:FD1", reason="客户来电", address="::1"
    )
    entry.refresh_from_db()
    assert (entry.actor, entry.action, entry.subject, entry.reason) == (
        "staff:7",
        "order.unmasked",
        "order:FD1",
        "客户来电",
    )
    assert entry.at == NOW


def test_an_actor_without_a_name_is_recorded_by_its_source():
    assert audit.record(Actor(Source.SHOP), "x").actor == "shop"
    assert audit.record(SYSTEM, "x").actor == "system"


def test_an_overlong_reason_is_cut_instead_of_stopping_the_act():
    assert len(audit.record("staff:1", "x", "s" * 900, reason="长" * 900).reason) == 500


def test_an_untouched_chain_is_whole(chain):
    verdict = audit.verify()
    assert (verdict.count, verdict.fault, verdict.unsealed) == (6, None, 0)


def test_an_empty_audit_is_whole():
    assert audit.verify() == audit.Verdict(0, "", None, 0)


def test_each_row_is_sealed_once(chain):
    assert audit.seal_pending() == 0
    audit.record("staff:1", "x")
    assert audit.seal_pending() == 1
    assert list(AuditSeal.objects.order_by("position").values_list("position", flat=True)) == [1, 2, 3, 4, 5, 6, 7]


def test_a_row_that_was_committed_late_is_sealed_behind_the_others(moment):
    late, early = audit.record("staff:1", "late"), audit.record("staff:1", "early")
    AuditEntry.objects.filter(pk=late.pk).delete()
    audit.seal_pending()
    moment.shift(dt.timedelta(minutes=59))
    late.save(force_insert=True)
    assert audit.seal_pending() == 1
    assert list(AuditSeal.objects.order_by("position").values_list("audit_id", flat=True)) == [early.pk, late.pk]
    assert fault() is None


def test_a_sealer_that_was_away_for_long_seals_what_was_left(chain, moment):
    moment.shift(dt.timedelta(hours=5))
    audit.record("staff:1", "x")
    moment.shift(dt.timedelta(hours=5))
    assert audit.seal_pending() == 1


def test_many_rows_are_sealed_in_batches(monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 2)
    for _ in range(5):
        audit.record("staff:1", "x")
    assert audit.seal_pending() == 5
    assert audit.verify().count == 5


def test_one_sealer_works_at_a_time():
    audit.record("staff:1", "x")
    with leases.hold("audit_sealer", audit.SEALING_LEASE):
        assert audit.seal_pending() == 0
    assert audit.seal_pending() == 1


def test_the_lease_of_a_dead_sealer_ends(moment):
    assert leases._take("audit_sealer", "dead", audit.SEALING_LEASE)
    audit.record("staff:1", "x")
    moment.shift(audit.SEALING_LEASE)
    assert audit.seal_pending() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "staff:2"},
        {"action": "order.masked"},
        {"subject": "order:other"},
        {"reason": ""},
        {"details": {"n": 9}},
        {"address": "10.0.0.1"},
        {"request_id": "r"},
        {"at": F("at") + dt.timedelta(microseconds=1)},
        {"at": F("at") - dt.timedelta(days=1)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_edit_is_found_and_named(chain, change):
    AuditEntry.objects.filter(pk=chain[2].pk).update(**change)
    found = fault()
    assert (found.audit_id, found.position) == (chain[2].pk, 3)


def test_a_deleted_row_is_found(chain):
    AuditEntry.objects.filter(pk=chain[3].pk).delete()
    assert fault() == audit.Fault(chain[3].pk, 4, "记录已被删除")


def test_a_row_deleted_with_its_seal_is_found(chain):
    AuditSeal.objects.filter(audit_id=chain[3].pk).delete()
    AuditEntry.objects.filter(pk=chain[3].pk).delete()
    assert fault().position == 4


def test_a_gap_that_was_closed_is_found(chain):
    AuditSeal.objects.filter(audit_id=chain[3].pk).delete()
    AuditEntry.objects.filter(pk=chain[3].pk).delete()
    for seal in AuditSeal.objects.filter(position__gt=4).order_by("position"):
        AuditSeal.objects.filter(pk=seal.pk).update(position=seal.position - 1)
    assert fault().position == 4


def test_reordered_seals_are_found(chain):
    a, b = AuditSeal.objects.filter(position__in=[2, 3]).order_by("position")
    AuditSeal.objects.filter(pk=a.pk).update(position=99)
    AuditSeal.objects.filter(pk=b.pk).update(position=2)
    AuditSeal.objects.filter(pk=a.pk).update(position=3)
    assert fault().position == 2


def test_rows_that_changed_places_are_found(chain):
    first, second = chain[1].pk, chain[2].pk
    for pk, other in ((first, 9_999), (second, first), (9_999, second)):
        AuditEntry.objects.filter(pk=pk).update(id=other)
    assert fault().audit_id == first


def test_a_row_inserted_among_sealed_ones_is_found(chain, moment):
    moment.shift(dt.timedelta(hours=2))
    audit.record("staff:1", "x")
    audit.seal_pending()
    stray = AuditEntry.objects.create(at=NOW, actor="staff:9", action="order.unmasked")
    assert fault() == audit.Fault(stray.pk, None, "事后插入的记录（没有封印）")


def test_a_forged_seal_is_found(chain):
    stray = audit.record("staff:9", "x")
    AuditSeal.objects.create(position=7, audit_id=stray.pk, digest="0" * 64)
    assert fault().audit_id == stray.pk


def test_a_changed_time_of_sealing_is_found(chain):
    AuditSeal.objects.filter(position=5).update(sealed_at=F("sealed_at") + dt.timedelta(seconds=1))
    assert fault().position == 5


def test_a_chain_resealed_under_another_key_is_found(chain):
    with override_settings(AUDIT_KEY="another-audit-key-of-more-than-32-characters"):
        assert fault().position == 1


def test_seals_of_the_first_release_are_still_good():
    """What that release computed, written down then: the form of a digest never changes."""
    row = {
        "id": 7,
        "at": NOW,
        "actor": "staff:1",
        "action": "order.unmasked",
        "subject": '单\u2028"1',
        "reason": "电\\话",
    }
    row |= {"details": {"b": [1.5, None], "a": "锅"}, "address": "::1", "request_id": ""}
    with override_settings(AUDIT_KEY="of-the-first-release-of-more-than-32-characters"):
        digest = audit.link("f" * 64, 3, NOW + dt.timedelta(microseconds=5), row)
    assert digest == "0e8045ee2e08c7f76d77e97f3e5c5c08e8dc11d6287bb3cc4372eade88ed510d"


def test_unsealed_rows_are_counted_apart(chain):
    audit.record("staff:1", "x")
    verdict = audit.verify()
    assert (verdict.count, verdict.unsealed, verdict.fault) == (6, 1, None)


def test_a_clock_that_was_set_back_between_seals_is_told(chain, moment):
    moment.shift(dt.timedelta(minutes=-30))
    odd = audit.record("staff:1", "x")
    audit.seal_pending()
    moment.shift(dt.timedelta(minutes=40))
    assert audit.verify().odd_times == (odd.pk,)


def test_seals_from_the_future_are_told(chain, moment):
    moment.shift(dt.timedelta(minutes=-30))
    assert audit.verify().odd_times == tuple(row.pk for row in chain)


def test_what_is_recorded_once_the_clock_is_right_again_is_sealed(chain, moment):
    moment.shift(dt.timedelta(days=-2))
    row = audit.record("staff:1", "x")
    assert audit.seal_pending() == 1
    assert AuditSeal.objects.get(audit_id=row.pk).position == 7
    assert fault() is None


def test_a_sealer_killed_while_it_caught_up_goes_on_where_it_was(chain, moment, monkeypatch):
    left = [audit.record("staff:1", "x") for _ in range(5)]
    moment.shift(dt.timedelta(hours=5))
    monkeypatch.setattr(sealing, "BATCH", 2)
    sealing._seal_batch(audit.pending(), 0)
    assert fault() is None
    assert audit.seal_pending() == 3
    assert AuditSeal.objects.count() == 6 + len(left)


def test_a_row_dated_after_its_sealing_is_told():
    odd = AuditEntry.objects.create(at=clock.now() + dt.timedelta(hours=1), actor="a", action="x")
    audit.seal_pending()
    assert audit.verify().odd_times == (odd.pk,)


class TestCheckpoint:
    @pytest.fixture
    def checkpoint(self, chain, tmp_path, capsys):
        path = tmp_path / "checkpoint.json"
        call_command("verify_audit", write_checkpoint=path)
        return path

    def test_one_of_an_earlier_release_is_still_read(self, chain):
        content = {"count": 6, "head": audit.verify().head, "at": NOW.isoformat()}
        text = json.dumps(content | {"signature": sealing.mac("checkpoint", content)})
        assert audit.read_checkpoint(text).count == 6

    def test_the_public_key_alone_checks_it(self, checkpoint):
        call_command("verify_audit", public_key=True, stdout=(out := StringIO()))
        content = json.loads(checkpoint.read_text())
        signature = bytes.fromhex(content.pop("signature"))
        said = json.dumps(["checkpoint", content], sort_keys=True, separators=(",", ":")).encode()
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(out.getvalue().strip())).verify(signature, said)

    def test_one_signed_under_another_key_is_refused(self, chain):
        with override_settings(AUDIT_KEY="another-audit-key-of-more-than-32-characters"):
            text = audit.write_checkpoint(6, "0" * 64)
        with pytest.raises(ValueError, match="签名不正确"):
            audit.read_checkpoint(text)

    def cut(self, positions):
        seals = AuditSeal.objects.filter(position__in=positions)
        AuditEntry.objects.filter(pk__in=seals.values("audit_id")).delete()
        seals.delete()

    def verify(self, path):
        call_command("verify_audit", checkpoint=path)

    def test_a_chain_that_grew_is_whole(self, checkpoint, capsys):
        audit.record("staff:1", "x")
        audit.seal_pending()
        self.verify(checkpoint)
        assert "审计链完好：7 条" in capsys.readouterr().out

    def test_a_cut_off_end_is_found(self, checkpoint):
        self.cut([5, 6])
        assert fault() is None
        with pytest.raises(CommandError, match=r"第 5 位.*截断") as error:
            self.verify(checkpoint)
        assert error.value.returncode == 1

    def test_an_emptied_audit_is_found(self, checkpoint):
        self.cut(range(1, 7))
        with pytest.raises(CommandError, match="第 1 位"):
            self.verify(checkpoint)

    def test_an_end_that_was_replaced_is_found(self, checkpoint):
        self.cut([5, 6])
        for _ in range(3):
            audit.record("staff:1", "innocent")
        audit.seal_pending()
        assert fault() is None
        with pytest.raises(CommandError, match="重写"):
            self.verify(checkpoint)

    @pytest.mark.parametrize("change", [{"count": 4}, {"head": "0" * 64}, {"at": "2020-01-01"}, {"signature": "锁"}])
    def test_a_changed_checkpoint_is_refused(self, checkpoint, change):
        checkpoint.write_text(json.dumps(json.loads(checkpoint.read_text()) | change))
        with pytest.raises(CommandError, match="签名不正确"):
            self.verify(checkpoint)

    @pytest.mark.parametrize("text", ["", "[]", "{}", "not json"])
    def test_another_file_is_no_checkpoint(self, checkpoint, text):
        checkpoint.write_text(text)
        with pytest.raises(CommandError):
            self.verify(checkpoint)

    def test_an_absent_file_is_wrong_use(self, tmp_path):
        with pytest.raises(CommandError) as error:
            self.verify(tmp_path / "none.json")
        assert error.value.returncode == 2

    def test_no_checkpoint_is_written_of_a_broken_chain(self, chain, tmp_path):
        AuditEntry.objects.filter(pk=chain[0].pk).delete()
        with pytest.raises(CommandError):
            call_command("verify_audit", write_checkpoint=tmp_path / "checkpoint.json")
        assert not list(tmp_path.iterdir())


def test_the_command_names_the_first_bad_row_and_tells_unsealed_ones_apart(chain, capsys):
    audit.record("staff:1", "x")
    AuditEntry.objects.filter(pk__in=[chain[1].pk, chain[4].pk]).update(actor="staff:2")
    with pytest.raises(CommandError, match=f"#{chain[1].pk}（第 2 位）"):
        call_command("verify_audit")
    assert "另有 1 条尚未封印" in capsys.readouterr().out
