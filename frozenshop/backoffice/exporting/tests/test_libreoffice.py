"""The corpus of formulas, opened by LibreOffice: what comes out is text, each character of it, and nothing was run."""

import csv
import datetime as dt
import io
import os
import shutil
import subprocess
import zipfile
from xml.etree import ElementTree

import pytest

from frozenshop.backoffice.exporting.cells import Column, Marks
from frozenshop.backoffice.exporting.csv_table import CsvTable
from frozenshop.backoffice.exporting.tests.corpus import FORMULAS, HARMLESS
from frozenshop.backoffice.exporting.xlsx_table import XlsxTable

SOFFICE = shutil.which("soffice")
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
COLUMNS = [Column("内容", lambda row: row), Column("数", lambda row: row), Column("时", lambda row: row)]
MARKS = Marks("订单7", "boss", dt.datetime(2026, 11, 22, 4, tzinfo=dt.UTC))
TEXTS = [*FORMULAS, *HARMLESS]
LONG = 300
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(LONG * 2),
    pytest.mark.xdist_group("processes"),
]


@pytest.fixture(autouse=True)
def _installed():
    if SOFFICE is None:
        sentence = "LibreOffice is not installed (apt-get install libreoffice-calc-nogui)"
        if os.environ.get("REQUIRE_LIBREOFFICE") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)


def opened(folder, name, content, *options):
    """Let LibreOffice open a file and save it as its own; return the cells of the first sheet as it has them."""
    (folder / name).write_bytes(content)
    home = f"-env:UserInstallation=file://{folder}/home"
    command = [
        SOFFICE,
        home,
        "--headless",
        *options,
        "--convert-to",
        "ods",
        "--outdir",
        str(folder),
        str(folder / name),
    ]
    subprocess.run(command, check=True, timeout=LONG, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.ods"))) as archive:
        tree = ElementTree.fromstring(archive.read("content.xml"))
    return [list(row.iter(f"{TABLE}table-cell")) for row in tree.iter(f"{TABLE}table-row")]


def made(table):
    rows = [[text, 7, MARKS.made_at] for text in TEXTS]
    writer = table(COLUMNS, MARKS)
    return writer.begin() + writer.rows(rows) + writer.end()


def assert_inert(rows):
    rows = [row for row in rows if row and row[0].get(f"{OFFICE}value-type")]
    assert len(rows) == len(TEXTS) + 1
    cells = [cell for row in rows for cell in row]
    assert [cell.get(f"{TABLE}formula") for cell in cells if cell.get(f"{TABLE}formula")] == []
    return rows


def test_in_a_sheet_the_corpus_is_text_and_numbers_and_times_are_what_they_are(tmp_path):
    rows = assert_inert(opened(tmp_path, "corpus.xlsx", made(XlsxTable)))
    assert {cell.get(f"{OFFICE}value-type") for row in rows[1:] for cell in row[:1]} == {"string"}
    assert {row[1].get(f"{OFFICE}value") for row in rows[1:]} == {"7"}
    assert {row[2].get(f"{OFFICE}date-value") for row in rows[1:]} == {"2026-11-22T12:00:00"}
    texts = ["".join(row[0].itertext()) for row in rows[1:]]
    assert all(text.strip()[-4:] in shown or "\n" in text for text, shown in zip(TEXTS, texts, strict=True))


@pytest.mark.parametrize("evaluated", ["false", "true"])
def test_in_csv_the_corpus_is_no_formula_even_where_they_would_be_run(tmp_path, evaluated):
    # 44: comma, 34: quotes, 76: UTF-8, from line 1; the last two say whether formulas are run.
    filter_options = f"--infilter=CSV:44,34,76,1,,0,false,true,false,false,false,0,{evaluated}"
    rows = assert_inert(opened(tmp_path, "corpus.csv", made(CsvTable), filter_options))
    risky = [row[0].get(f"{OFFICE}value-type") for row in rows[1 : len(FORMULAS) + 1]]
    assert set(risky) <= {"string", "float"}


def test_the_corpus_would_be_run_if_it_were_not_made_safe(tmp_path):
    """So that the test above is known to be able to fail."""
    text = io.StringIO()
    csv.writer(text).writerows([["=1+1"], ["+1+1"]])
    options = "--infilter=CSV:44,34,76,1,,0,false,true,false,false,false,0,true"
    rows = opened(tmp_path, "unsafe.csv", text.getvalue().encode(), options)
    assert rows[0][0].get(f"{TABLE}formula") == "of:=1+1"
