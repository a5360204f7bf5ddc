import csv
import datetime as dt
import io
import zipfile
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from frozenshop.kernel import clock
from orders.importing import COLUMNS, OrderFile, _fen
from orders.spreadsheets import Unreadable, excel_instant

ROW = {
    "order_no": "A1",
    "placed_at": "2026-01-05 08:30",
    "paid_at": "",
    "consignee_name": "张三",
    "consignee_phone": "13812341234",
    "province": "广东省",
    "city": "东莞市",
    "district": "",
    "address": "人民路 1 号",
    "sku": "XR-1",
    "product_name": "虾仁",
    "quantity": "2",
    "unit_price": "50.5",
    "carrier_code": "",
    "waybill_no": "",
    "shipped_at": "",
}


@pytest.fixture
def write(tmp_path):
    """Write rows (what differs from ROW) as a file; returns its reader."""

    def write(*rows, columns=COLUMNS, encoding="utf-8", xlsx=False):
        path = tmp_path / "orders"
        table = [list(columns), *[[(ROW | row)[name] for name in COLUMNS] for row in rows]]
        path.write_bytes(as_xlsx(table) if xlsx else as_csv(table).encode(encoding))
        return OrderFile(path)

    return write


def as_csv(table) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(table)
    return text.getvalue()


def as_xlsx(table) -> bytes:
    book, file = Workbook(), io.BytesIO()
    for row in table:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def refusals(file) -> list[tuple[int, str]]:
    return [(refusal.row, refusal.column) for group in file.groups() for refusal in group.refusals]


def only(file):
    (group,) = file.groups()
    assert group.refusals == ()
    return group


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("columns", [COLUMNS, COLUMNS.values()], ids=["english", "chinese"])
def test_a_csv_is_read_in_its_encoding_and_language(write, encoding, columns):
    order = only(write({}, columns=columns, encoding=encoding)).order
    assert (order.order_no, order.consignee.name, order.lines[0].unit_price_fen) == ("A1", "张三", 5050)
    assert order.placed_at == dt.datetime(2026, 1, 5, 0, 30, tzinfo=dt.UTC)


def test_an_xlsx_is_read_with_its_numbers_and_dates(write):
    row = {
        "order_no": 20260105001,
        "placed_at": dt.datetime(2026, 1, 5, 8, 30),  # noqa: DTZ001 Excel knows no zones
        "consignee_phone": 13812341234,
        "quantity": 2,
        "unit_price": 50.5,
    }
    order = only(write(row, xlsx=True)).order
    assert (order.order_no, order.consignee.phone, order.lines[0].quantity) == ("20260105001", "13812341234", 2)
    assert order.placed_at == dt.datetime(2026, 1, 5, 0, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-05 08:30", "2026-1-5 8:30", "2026/1/5 8:30:00", "2026年1月5日 8:30", "2026-01-05T08:30:00+08:00",
        "2026-01-05T00:30:00Z", "46027.3541666667",
    ],
)  # fmt: skip
def test_a_time_is_understood_however_it_is_written(write, written):
    assert only(write({"placed_at": written})).order.placed_at == dt.datetime(2026, 1, 5, 0, 30, tzinfo=dt.UTC)


def test_an_excel_number_in_an_xlsx_is_a_time(write):
    order = only(write({"placed_at": 46027.3541666667}, xlsx=True)).order
    assert order.placed_at == dt.datetime(2026, 1, 5, 0, 30, tzinfo=dt.UTC)


def test_a_date_alone_is_its_midnight(write):
    order = only(write({"placed_at": "2026-01-05"})).order
    assert clock.shanghai(order.placed_at) == dt.datetime(2026, 1, 5, tzinfo=clock.SHANGHAI)


@pytest.mark.parametrize("serial", [0, 36_525, 73_415, 1e9])
def test_a_number_outside_the_century_is_no_time(serial):
    assert excel_instant(serial) is None


def test_rows_of_one_order_are_one_order_wherever_they_stand(write):
    file = write({"order_no": "A1"}, {"order_no": "B2"}, {"order_no": "A1", "sku": "XY", "product_name": "鳕鱼"})
    orders = {group.order.order_no: group for group in file.groups()}
    assert {name: group.rows for name, group in orders.items()} == {"A1": (2, 4), "B2": (3,)}
    assert [line.sku for line in orders["A1"].order.lines] == ["XR-1", "XY"]
    assert len(file) == 2


def test_rows_of_one_order_agree_on_the_order(write):
    file = write({}, {"consignee_name": "李四", "address": "别处"})
    assert refusals(file) == [(3, "address"), (3, "consignee_name")]


def test_an_empty_cell_of_a_further_row_says_nothing(write):
    group = only(write({}, {"consignee_name": "", "placed_at": "", "sku": "XY"}))
    assert len(group.order.lines) == 2


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"order_no": ""}, "order_no"),
        ({"order_no": "订单1"}, "order_no"),
        ({"order_no": "counts"}, "order_no"),
        ({"order_no": "2.02601E+17"}, "order_no"),
        ({"placed_at": ""}, "placed_at"),
        ({"placed_at": "昨天"}, "placed_at"),
        ({"placed_at": "2026-02-30"}, "placed_at"),
        ({"paid_at": "2025-12-01 08:00"}, "paid_at"),
        ({"paid_at": "2099-01-01 08:00"}, "paid_at"),
        ({"consignee_name": ""}, "consignee_name"),
        ({"consignee_phone": "12345"}, "consignee_phone"),
        ({"consignee_phone": "1.38123E+10"}, "consignee_phone"),
        ({"province": ""}, "province"),
        ({"city": ""}, "city"),
        ({"address": "长" * 201}, "address"),
        ({"sku": ""}, "sku"),
        ({"product_name": ""}, "product_name"),
        ({"quantity": ""}, "quantity"),
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "1.5"}, "quantity"),
        ({"quantity": "两"}, "quantity"),
        ({"unit_price": ""}, "unit_price"),
        ({"unit_price": "-1"}, "unit_price"),
        ({"unit_price": "1.005"}, "unit_price"),
        ({"unit_price": "1e3"}, "unit_price"),
        ({"unit_price": "NaN"}, "unit_price"),
        ({"unit_price": "=1+1"}, "unit_price"),
        ({"consignee_name": "=cmd|' /C calc'!A0"}, "consignee_name"),
        ({"carrier_code": "SF", "waybill_no": "7.31235E+14"}, "waybill_no"),
        ({"carrier_code": "SF"}, "waybill_no"),
        ({"waybill_no": "SF1234567890"}, "carrier_code"),
        ({"shipped_at": "2026-01-06 08:00"}, "waybill_no"),
        ({"carrier_code": "SF", "waybill_no": "SF123456", "shipped_at": "2026-13-01"}, "shipped_at"),
        ({"carrier_code": "SF", "waybill_no": "SF123456", "shipped_at": "2099-01-01"}, "shipped_at"),
        ({"carrier_code": "SF", "waybill_no": "SF123456", "shipped_at": "2025-12-01"}, "shipped_at"),
    ],
)
def test_each_refusal_names_row_and_column(write, change, column):
    assert refusals(write({"order_no": "Z0"}, change)) == [(3, column)]


def test_a_refused_order_is_not_half_understood(write):
    (group,) = write({}, {"quantity": "0"}).groups()
    assert group.order is None


def test_a_refusal_reads_as_a_sentence(write):
    (group,) = write({"waybill_no": "7.31235E+14", "carrier_code": "SF"}).groups()
    assert str(group.refusals[0]).startswith("第 2 行，运单号：数字已被表格软件改写")


def test_a_number_that_excel_has_cut_is_refused(write):
    assert refusals(write({"carrier_code": "SF", "waybill_no": 7312345678901234567}, xlsx=True)) == [(2, "waybill_no")]


def test_a_formula_in_an_xlsx_is_refused(write):
    assert refusals(write({"unit_price": "=10*2"}, xlsx=True)) == [(2, "unit_price")]


def test_blank_rows_are_passed_over_and_still_counted(write):
    blank = dict.fromkeys(ROW, "")
    assert [group.rows for group in write(blank, {}, blank).groups()] == [(3,)]


@pytest.mark.parametrize("xlsx", [False, True])
def test_one_waybill_on_every_row_carries_the_whole_order(write, xlsx):
    parcel = {"carrier_code": "顺丰", "waybill_no": "SF123456", "shipped_at": "2026-01-06 08:00"}
    (found,) = only(write(parcel, {**parcel, "sku": "XY"}, xlsx=xlsx)).parcels
    assert (found.carrier, found.waybill_no, found.lines) == ("顺丰", "SF123456", None)
    assert found.shipped_at == dt.datetime(2026, 1, 6, tzinfo=dt.UTC)


def test_several_waybills_tell_which_line_travels_in_which(write):
    rows = [
        {"carrier_code": "SF", "waybill_no": f"SF{n}00000", "sku": sku} for n, sku in ((1, "A"), (2, "B"), (1, "C"))
    ]
    parcels = only(write(*rows)).parcels
    assert [(parcel.row, parcel.lines) for parcel in parcels] == [(2, {"A": 2, "C": 2}), (3, {"B": 2})]


def test_a_row_without_a_waybill_stays_behind(write):
    (parcel,) = only(write({"carrier_code": "SF", "waybill_no": "SF100000"}, {"sku": "XY"})).parcels
    assert parcel.lines == {"XR-1": 2}


def test_one_waybill_was_shipped_once(write):
    parcel = {"carrier_code": "SF", "waybill_no": "SF123456"}
    file = write({**parcel, "shipped_at": "2026-01-06"}, {**parcel, "shipped_at": "2026-01-07"})
    assert refusals(file) == [(3, "shipped_at")]


def test_columns_may_stand_in_any_order_and_others_are_named_as_ignored(tmp_path):
    names = [*reversed(COLUMNS), "备注"]
    path = tmp_path / "orders.csv"
    path.write_text(as_csv([names, [*(ROW[name] for name in reversed(COLUMNS)), "急"]]))
    file = OrderFile(path)
    assert only(file).order.order_no == "A1"
    assert file.ignored == ["备注"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "空"),
        (b"order_no,placed_at\r\n", "缺少列"),
        (b"order_no,order_no\r\n", "重复"),
        ("order_no,订单号\r\n".encode(), "重复"),
        (b"\xff\xfeo\x00r\x00", "编码"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS"),
        (b"PK\x03\x04 and no zip", "损坏"),
        (as_csv([COLUMNS, ROW.values()]).encode() + b'"open', "引号"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, content, said):
    path = tmp_path / "orders"
    path.write_bytes(content)
    with pytest.raises(Unreadable) as refused:
        list(OrderFile(path).groups())
    assert said in refused.value.message


def test_a_zip_that_is_no_workbook_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "orders", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(Unreadable):
        OrderFile(tmp_path / "orders")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "orders", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 30_000_000)
    with pytest.raises(Unreadable) as refused:
        OrderFile(tmp_path / "orders")
    assert "过大" in refused.value.message


def test_an_xlsx_of_too_many_rows_is_refused(write, monkeypatch):
    monkeypatch.setattr("orders.spreadsheets.MAX_XLSX_ROWS", 3)
    assert len(write({"order_no": "A"}, {"order_no": "B"}, xlsx=True)) == 2
    with pytest.raises(Unreadable):
        write({"order_no": "A"}, {"order_no": "B"}, {"order_no": "C"}, xlsx=True)


@pytest.mark.parametrize(
    ("written", "fen"),
    [("12", 1200), ("12.5", 1250), ("￥1,234.50", 123450), ("12元", 1200), (0.1 + 0.2, 30), (12, 1200)],
)
def test_a_price_in_yuan_is_exact_in_fen(written, fen):
    assert _fen(written) == fen


@given(st.integers(0, 10**12))
def test_every_price_comes_back_to_the_fen(fen):
    assert _fen(str(Decimal(fen) / 100)) == fen


@given(
    st.lists(st.fixed_dictionaries({}, optional={name: st.text(max_size=12) for name in ROW}), min_size=1, max_size=4)
)
def test_a_dirty_file_is_refused_cell_by_cell_and_never_fails(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("dirty") / "orders.csv"
    table = [list(COLUMNS), *[[(ROW | row)[name] for name in COLUMNS] for row in rows]]
    path.write_bytes(as_csv(table).encode("utf-8", "surrogatepass"))
    try:
        groups = list(OrderFile(path).groups())
    except Unreadable:
        return
    assert all(group.order is not None or group.refusals for group in groups)
