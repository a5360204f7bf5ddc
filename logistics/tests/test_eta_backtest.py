"""The back-test scores what could have been said at the time, and takes files as people keep them."""

import csv
import io
import itertools
import json

import pytest
from django.core.management import CommandError, call_command

from benchmarks.eta_history import VARIANTS, World, generate
from logistics.learning.backtest import read_instant
from logistics.learning.baselines import RollingQuantiles
from logistics.learning.parcels import Parcel
from logistics.learning.scoring import score

KEYS = {"n", "mae_days", "p90_error_days", "coverage80", "width80_days", "coverage90", "width90_days", "pinball"}


def write(path, rows):
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def backtest(path, *options):
    out = io.StringIO()
    call_command("eta_backtest", str(path), *options, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return write(tmp_path_factory.mktemp("eta") / "few.csv", generate(VARIANTS["few"], 3))


def test_the_scores_have_the_published_shape_and_ours_is_best(few):
    scores = json.loads(backtest(few, "--json"))
    assert list(scores) == ["ours", "lane", "global"]
    assert all(set(one) == KEYS for one in scores.values())
    assert scores["ours"]["pinball"] < scores["lane"]["pinball"] < scores["global"]["pinball"]


def test_the_predictions_are_the_newest_fifth_as_given(few, tmp_path):
    scores = json.loads(backtest(few, "--json", "--predictions", str(tmp_path / "out.csv")))
    given = read(few)
    told = read(tmp_path / "out.csv")
    delivered = sorted((row for row in given if row["delivered_at"]), key=lambda row: row["shipped_at"])
    assert scores["ours"]["n"] == len(told) == len(delivered) // 5
    assert [row["waybill_no"] for row in told] == [row["waybill_no"] for row in delivered[-len(told) :]]
    for row in told:
        quantiles = [float(row[name]) for name in ("q05", "q10", "q50", "q90", "q95")]
        assert quantiles == sorted(quantiles)
        assert quantiles[0] > 0


def test_a_table_is_for_people(few):
    assert "分位损失" in backtest(few)


def test_without_carrier_with_naive_times_and_foreign_columns_it_runs(tmp_path):
    rows = (row | {"remark": "x,y"} for row in itertools.islice(generate(VARIANTS["plain"], 2), 800))
    assert json.loads(backtest(write(tmp_path / "plain.csv", rows), "--json"))["ours"]["n"] > 100


def test_a_handful_of_rows_gives_an_honest_width(tmp_path):
    rows = list(itertools.islice(generate(VARIANTS["main"], 2), 9))
    ours = json.loads(backtest(write(tmp_path / "tiny.csv", rows), "--json"))["ours"]
    assert ours["n"] == 1
    assert ours["width80_days"] > 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("origin,destination\na,b\n", "缺少列"),
        ("", "缺少列"),
        ("shipped_at,delivered_at\n,\n", "至少需要"),
        ('shipped_at,delivered_at\n"2026-01-01,\n', "至少需要|引号"),
        ("PK\x03\x04", "XLSX"),
    ],
)
def test_a_file_that_can_t_be_used_gets_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "bad.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CommandError, match=sentence) as refused:
        backtest(path)
    assert refused.value.returncode == 1


def test_a_missing_file_is_wrong_use(tmp_path):
    with pytest.raises(CommandError) as refused:
        backtest(tmp_path / "absent.csv")
    assert refused.value.returncode == 2


def test_rows_that_can_t_be_read_are_left_out_and_counted(tmp_path, few):
    rows = read(few)[:200]
    rows[3]["shipped_at"], rows[4]["delivered_at"] = "soon", "1999-01-01 00:00"
    rows[5]["delivered_at"] = "2001-01-01 00:00"
    notes = io.StringIO()
    call_command("eta_backtest", str(write(tmp_path / "odd.csv", rows)), stdout=io.StringIO(), stderr=notes)
    assert "有 2 行时间无法识别" in notes.getvalue()
    assert "有 1 行送达早于发货" in notes.getvalue()


@pytest.mark.parametrize(
    "text",
    ["2026-03-01T08:00:00+08:00", "2026-03-01 08:00", "2026/3/1 8:00", "2026-03-01T00:00:00Z", "2026年3月1日 8:00:00"],
)
def test_an_instant_is_read_as_people_write_it(text):
    assert read_instant(text).timestamp() == 1772323200


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01", "2026-02-30 10:00", "1897-01-01", "46000", "2026-03-01 08:00 CET"]
)
def test_what_is_no_instant_is_none(text):
    assert read_instant(text) is None


def test_a_score_is_what_its_name_says():
    one = score([1.0, 2.0, 10.0], [(0.5, 1.0, 2.0, 3.0, 4.0)] * 3)
    assert (one.n, one.coverage80, one.width80_days, one.width90_days) == (3, 0.6667, 2.0, 3.5)
    assert one.mae_days == 3.0
    assert one.pinball == pytest.approx(
        ((0.05 * 0.5 + 0 + 0.5 + 0.2 + 0.15) + (0.075 + 0.1 + 0 + 0.1 + 0.1) + 0.05 * 9.5 + 0.9 + 4 + 6.3 + 5.7) / 15,
        abs=1e-4,
    )


def test_the_rolling_quantiles_know_ninety_days_and_twenty_parcels():
    old = [Parcel("a", "b", "", start / 10, 9.0) for start in range(100)]
    new = [Parcel("a", "b", "", 150 + start / 10, 1.0) for start in range(19)]
    other = [Parcel("x", "b", "", 150.0, 2.0)] * 30
    plain = RollingQuantiles([*old, *new, *other])
    lane, everything = plain.quantiles_of(Parcel("a", "b", "", 160.0))
    assert lane == everything == (1.0, 1.0, 2.0, 2.0, 2.0)
    assert plain.quantiles_of(Parcel("a", "z", "", 400.0))[0][2] == 3.0


def test_every_variant_of_the_generator_has_a_history():
    for name, variant in VARIANTS.items():
        row = next(generate(variant, 1))
        assert row["shipped_at"], name
        assert ("carrier" in row) == variant.tells_carrier


def test_the_generator_hides_an_effect_that_no_column_tells():
    import random

    assert any(before != after for before, after in World(VARIANTS["main"], random.Random(1)).hidden.values())
