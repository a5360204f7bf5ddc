"""CSV and XLSX as files: whole, of the right types, and never a formula."""

import csv
import datetime as dt
import io
import json
import zipfile
from decimal import Decimal

import openpyxl
import pytest

from frozenshop.backoffice.exporting.cells import Column, Marks
from frozenshop.backoffice.exporting.csv_table import CsvTable
from frozenshop.backoffice.exporting.tests.corpus import BEGINNINGS, BLANKS, FORMULAS, HARMLESS
from frozenshop.backoffice.exporting.xlsx_table import XlsxTable

NOON = dt.datetime(2026, 11, 22, 4, tzinfo=dt.UTC)
COLUMNS = [Column("文", lambda row: row), Column("数", lambda row: row), Column("时", lambda row: row)]
PLAIN = Marks("订单7", "boss", NOON)
MARKED = Marks("订单7", "boss", NOON, "未打码 · <&> boss", "#7 boss")


def made(table, *stretches):
    """Write stretches, each by a table that knows of the former ones only what they noted."""
    content, state = table().begin(), None
    first = table()
    content, state = first.begin(), first.state
    for rows in stretches:
        next_one = table(json.loads(json.dumps(state)))
        content, state = content + next_one.rows(rows), next_one.state
    last = table(json.loads(json.dumps(state)))
    return content + last.end()


def xlsx(*stretches, marks=PLAIN, **more):
    content = made(lambda state=None: XlsxTable(COLUMNS, marks, state, **more), *stretches)
    return openpyxl.load_workbook(io.BytesIO(content))


def text_of(*stretches, marks=PLAIN):
    return made(lambda state=None: CsvTable(COLUMNS, marks, state), *stretches).decode()


def test_pieces_written_apart_make_one_whole_archive():
    content = made(lambda state=None: XlsxTable(COLUMNS, PLAIN, state), [["A", 1, NOON]], [["B", 2, None]] * 3000)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "xl/worksheets/sheet1.xml"


def test_the_same_rows_make_the_same_file_however_they_were_cut():
    rows = [[f"A{n}", n, NOON] for n in range(100)]
    one, two = xlsx(rows).active, xlsx(rows[:30], rows[30:]).active
    assert list(one.iter_rows(values_only=True)) == list(two.iter_rows(values_only=True))
    assert text_of(rows) == text_of(rows[:30], rows[30:])
    assert made(lambda state=None: XlsxTable(COLUMNS, PLAIN, state), rows) == made(
        lambda state=None: XlsxTable(COLUMNS, PLAIN, state), rows
    )


def test_each_value_keeps_its_type():
    sheet = xlsx([["007", Decimal("12.30"), NOON], ["773000000000001", 5, None]]).active
    assert [cell.value for cell in sheet[1]] == ["文", "数", "时"]
    assert [cell.value for cell in sheet[2]] == ["007", 12.3, NOON.replace(hour=12, tzinfo=None)]
    assert [cell.value for cell in sheet[3]] == ["773000000000001", 5, None]
    assert [cell.number_format for cell in sheet[2]] == ["@", "0.00", r"yyyy\-mm\-dd\ hh:mm"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_a_sheet_is_a_formula(text):
    cell = xlsx([[text, 1, None]]).active["A2"]
    assert cell.data_type == "s"
    assert cell.value == text


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_text_comes_back_as_it_was(text):
    assert xlsx([[text, 1, None]]).active["A2"].value.replace("_x005F_", "_") == text
    assert list(csv.reader(io.StringIO(text_of([[text, 1, None]]))))[1][0] == text


@pytest.mark.parametrize("text", [text for text in FORMULAS if text.lstrip(BLANKS)[0] in BEGINNINGS])
def test_what_begins_like_a_formula_begins_with_an_apostrophe_in_csv(text):
    rows = list(csv.reader(io.StringIO(text_of([[text, 1, None]]), newline="")))
    assert rows[1][0] == f"'{text}"


def test_what_no_sheet_can_hold_is_replaced_or_cut():
    sheet = xlsx([["a\x00b\ud800c", 1, None], ["x" * 40_000, 1, None], ["😀" * 20_000, 1, None]]).active
    assert sheet["A2"].value == "a\ufffdb\ufffdc"
    assert len(sheet["A3"].value) == 32_767
    assert sheet["A4"].value == "😀" * (32_767 // 2)


def test_a_full_sheet_goes_on_in_the_next():
    book = xlsx([[f"A{n}", n, None] for n in range(5)], [[f"B{n}", n, None] for n in range(4)], most_rows=4)
    assert [[cell.value for cell in sheet["A"]] for sheet in book] == [
        ["文", "A0", "A1", "A2"],
        ["文", "A3", "A4", "B0"],
        ["文", "B1", "B2", "B3"],
    ]


def test_a_mark_heads_the_file_and_stands_in_its_properties():
    book = xlsx([["A", 1, None]], marks=MARKED)
    assert book.active["A1"].value == MARKED.line
    assert book.active.oddHeader.left.text == MARKED.line.replace("&", "＆")
    assert (book.properties.creator, book.properties.description) == ("boss", MARKED.line)
    assert text_of([["A", 1, None]], marks=MARKED).splitlines()[0] == f"\ufeff{MARKED.line}"


def test_an_empty_list_makes_a_file_with_its_heading():
    assert [cell.value for cell in xlsx([]).active[1]] == ["文", "数", "时"]
    assert text_of([]) == "\ufeff文,数,时\r\n"
