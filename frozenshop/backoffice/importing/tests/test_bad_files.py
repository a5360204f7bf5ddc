"""Whatever is uploaded: a sentence that says what is wrong and where, and nothing half-written."""

import io
import zipfile

import pytest
from openpyxl import Workbook

from frozenshop.backoffice.batches.models import Batch
from frozenshop.backoffice.importing import matching
from orders import packages, spreadsheets
from orders.models import Order
from orders.tests.test_importing import as_csv, as_xlsx

pytestmark = pytest.mark.django_db
GOOD = [["订单号", "快递单号"], ["A1", "SF0000000000001"]]
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def book(change, rows=GOOD):
    """Return a workbook to which something was done."""
    made, file = Workbook(), io.BytesIO()
    for row in rows:
        made.active.append(row)
    change(made)
    made.save(file)
    return file.getvalue()


def repacked(name, content):
    """Return a workbook one of whose parts was replaced."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(as_xlsx(GOOD))) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, content if member == name else old.read(member))
    return file.getvalue()


SHEET = ' xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "没有一行内容"),
        ("订单号,快递单号\n".encode(), "只有表头"),
        (as_csv(GOOD).encode("utf-16"), "UTF-16"),
        (b"\x81\xff\x81\xff\n" * 9, "编码无法识别"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 99, "PNG"),
        (b"\xff\xd8\xff\xe0" + b"\x00" * 99, "JPEG"),
        (b"%PDF-1.7 x", "PDF"),
        (b"<html><table></table></html>", "网页"),
        (OLE + b"\x00" * 2000, "旧版 XLS"),
        (OLE + b"\x00" * 99 + "EncryptedPackage".encode("utf-16-le"), "密码"),
        (b"A,B\n1\x00,2\n", "第 2 行含有 NUL"),
        (b'A,"B\n1,2\n', "引号"),
        (("订单号,快递单号\nA1," + "x" * 6000 + "\n").encode(), "第 2 行第 2 列"),
        (as_csv([[f"列{n}" for n in range(300)], ["x"] * 300]).encode(), "超过 60 列"),
        (
            "order_no,waybill_no\n张三张三,SF0000000000001\n".encode() + b"\xe5\xbc,SF0000000000002\n",
            "第 3 行的文字已损坏",
        ),
        (b"PK\x03\x04junk", "损坏"),
        (repacked("xl/workbook.xml", BOMB), "实体"),
        (repacked("xl/styles.xml", BOMB), "实体"),
        (repacked("xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row"), "损坏"),
    ],
)
def test_a_bad_file_is_told_and_not_kept(shipping, body, said):
    shipping.upload(body)
    assert said in shipping.said
    assert Batch.objects.count() == 0


def test_a_workbook_that_swells_is_told_and_not_kept(shipping):
    shipping.upload(repacked("xl/worksheets/sheet1.xml", b"<worksheet>" + b" " * 300_000_000))
    assert "解压后过大" in shipping.said
    assert Batch.objects.count() == 0


def test_a_zip_that_is_no_workbook_is_told(shipping):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "x")
    assert "不是 XLSX" in shipping.upload(file.getvalue()).said


def test_more_texts_than_memory_holds_are_told(shipping, monkeypatch):
    monkeypatch.setattr(packages, "MAX_STRINGS_BYTES", 100)
    file = io.BytesIO(as_xlsx(GOOD))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("xl/sharedStrings.xml", "x" * 200)
    assert "解压后过大" in shipping.upload(file.getvalue()).said


def test_too_many_rows_are_told_before_they_are_read(shipping, monkeypatch):
    monkeypatch.setattr(matching, "MAX_ROWS", 3)
    monkeypatch.setattr("frozenshop.backoffice.importing.rows.MAX_ROWS", 3)
    shipping.upload([GOOD[0], *[[f"A{n}", f"SF00000000000{n:02}"] for n in range(9)]])
    assert "超过 3 行" in shipping.said


@pytest.mark.slow
def test_a_million_rows_are_refused_with_a_sentence(shipping):
    body = "订单号,快递单号\n" + "".join(f"A{n},SF{n:013}\n" for n in range(700_000))
    shipping.upload(body.encode()).check()
    assert "50,000" in shipping.checked.message + shipping.said
    assert Order.objects.count() == 0


def test_merged_cells_are_named(shipping):
    body = book(lambda made: made.active.merge_cells("A2:A3"), [*GOOD, ["", "SF0000000000002"]])
    shipping.upload(body).check()
    assert shipping.checked.state == "failed"
    assert shipping.checked.message.startswith("表格中有合并单元格（A2:A3）")
    assert shipping.batch.rows.count() == 0


def test_a_merged_title_above_the_header_does_no_harm(shipping):
    body = book(lambda made: made.active.merge_cells("A1:B1"), [["十一月的订单", ""], *GOOD])
    shipping.upload(body).check()
    assert shipping.found == [(3, "order_no", "unknown_order")]


def test_what_is_hidden_or_stands_in_another_sheet_is_remarked(shipping):
    def change(made):
        made.active.row_dimensions[2].hidden = True
        made.create_sheet("二月")

    shipping.upload(book(change)).check()
    told = " ".join(shipping.shown.context["remarks"])
    assert "2 个工作表" in told
    assert "第 2 行" in told


def test_a_formula_a_rewritten_number_and_a_date_as_a_number(shipping):
    rows = [
        ["订单号", "快递单号", "发货时间"],
        ["A1", "=B9", 45000],
        ["A2", "7.73E+14", 45000.5],
        ["A3", 7.73e14, 45000],
        ["A4", 1234567890123456789, "昨天"],
    ]
    shipping.upload(book(lambda made: None, rows)).check()
    found = [one for one in shipping.found if one[2] != "unknown_order"]
    assert found == [
        (2, "waybill_no", "formula"),
        (3, "waybill_no", "rewritten"),
        (5, "waybill_no", "rewritten"),
        (5, "shipped_at", "cell"),
    ]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_cells_may_be_parted_otherwise_than_by_commas(shipping, delimiter):
    shipping.upload(f"订单号{delimiter}快递单号\nA1{delimiter}SF0000000000001\n".encode())
    assert shipping.match() == {"order_no": 0, "waybill_no": 1}


def test_unseen_marks_around_a_cell_are_no_part_of_it(shipping):
    shipping.upload("订单号,快递单号\nA1\u200b ,\ufeffSF0000000000001\u3000\n".encode()).check()
    assert shipping.rows == [("A1", "refused")]
    assert shipping.counts == {"unknown_order": 1}


def test_a_number_of_thousands_of_digits_is_no_quantity(importing):
    importing.upload((("1" * 4400 + ",x\n") * 3).encode())
    assert "quantity" not in importing.match()


def test_a_hidden_first_sheet_is_passed_over(shipping):
    def change(made):
        made.active.title, made.active.sheet_state = "选项", "hidden"
        sheet = made.create_sheet("十一月")
        for row in (*GOOD, ["A2", "SF0000000000002"]):
            sheet.append(row)
        sheet.merge_cells("A2:A3")

    shipping.upload(book(change, [["选项一"], ["选项二"]])).check()
    assert "A2:A3" in shipping.checked.message


def test_a_program_may_prefix_the_names_of_elements(shipping):
    cells = "".join(
        f'<x:row r="{row}"><x:c r="A{row}" t="str"><x:v>{one}</x:v></x:c>'
        f'<x:c r="B{row}" t="str"><x:v>{two}</x:v></x:c></x:row>'
        for row, (one, two) in enumerate(GOOD, start=1)
    )
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    merged = '<x:mergeCells><x:mergeCell ref="A2:A3"/></x:mergeCells>'
    body = f'<x:worksheet xmlns:x="{namespace}"><x:sheetData>{cells}</x:sheetData>{merged}</x:worksheet>'
    shipping.upload(repacked("xl/worksheets/sheet1.xml", body.encode())).check()
    assert "A2:A3" in shipping.checked.message


def test_empty_rows_below_the_content_are_told_from_too_many(shipping, monkeypatch):
    monkeypatch.setattr(matching, "MAX_ROWS", 3)
    shipping.upload(book(lambda made: made.active.cell(9, 1).__setattr__("number_format", "0.00")))
    assert "删去内容下面的空行" in shipping.said


def test_a_row_that_stands_twice_is_found(shipping):
    shipping.upload([*GOOD, GOOD[1]]).check()
    assert (3, "waybill_no", "duplicate_row") in shipping.found


def test_a_file_is_read_in_stretches(shipping, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(as_csv(GOOD))
    rows = spreadsheets.open_sheet(path).rows()
    assert next(rows)[0] == 1
    rows.close()


def formatted(made, last, content=()):
    """Format rows up to the last one, as who formats a whole column by hand; write more content among them."""
    for row in range(1, last + 1):
        made.active.cell(row, 1).number_format = "0.00"
    for row, *cells in content:
        for column, cell in enumerate(cells, start=1):
            made.active.cell(row, column).value = cell


def test_rows_that_are_only_formatted_are_not_read_to_their_end(shipping, monkeypatch):
    monkeypatch.setattr(matching, "MAX_ROWS", 50)
    monkeypatch.setattr("frozenshop.backoffice.importing.rows.MAX_ROWS", 50)
    monkeypatch.setattr(spreadsheets, "LONG_GAP", 20)
    shipping.upload(book(lambda made: formatted(made, 500))).check()
    assert shipping.rows == [("A1", "refused")]


NAMELESS = "".join(
    f'<row>{"".join(f"""<c t="str"><v>{cell}</v></c>""" for cell in cells)}</row>'
    for cells in (*GOOD, *[()] * 30, ["A2", "SF0000000000002"])
)


@pytest.mark.parametrize(
    "body",
    [
        book(lambda made: formatted(made, 60, [(40, "A2", "SF0000000000002")])),
        repacked(
            "xl/worksheets/sheet1.xml", f"<worksheet{SHEET}><sheetData>{NAMELESS}</sheetData></worksheet>".encode()
        ),
    ],
    ids=["numbered", "without numbers"],
)
def test_what_stands_below_a_long_gap_is_read(shipping, monkeypatch, body):
    monkeypatch.setattr(spreadsheets, "LONG_GAP", 20)
    shipping.upload(body).check()
    assert [about for about, _ in shipping.rows] == ["A1", "A2"]


def test_rows_beyond_the_range_that_a_program_has_written_are_read(shipping):
    with zipfile.ZipFile(io.BytesIO(as_xlsx([*GOOD, ["A2", "SF0000000000002"]]))) as made:
        sheet = made.read("xl/worksheets/sheet1.xml")
    assert b'ref="A1:B3"' in sheet
    shipping.upload(repacked("xl/worksheets/sheet1.xml", sheet.replace(b'ref="A1:B3"', b'ref="A1:B2"'))).check()
    assert [about for about, _ in shipping.rows] == ["A1", "A2"]
