"""The parts of an XLSX file around its rows, as the standard (ECMA-376) wants them."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from frozenshop.backoffice.exporting.cells import Marks
from frozenshop.kernel.clock import shanghai

DECLARED = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
PREFIX = "application/vnd.openxmlformats-officedocument.spreadsheetml."
TEXT, TEXT_LIKE_A_FORMULA, COUNT, AMOUNT, INSTANT, HEADING = 1, 2, 3, 4, 5, 6
"""Formats of cells, by their place in the styles below. Text stays text when somebody edits it."""


def sheet_name(number: int) -> str:
    return f"xl/worksheets/sheet{number}.xml"


def sheet_start(widths: Sequence[int], *, frozen: int) -> str:
    columns = "".join(
        f'<col min="{n}" max="{n}" width="{width}" customWidth="1"/>' for n, width in enumerate(widths, 1)
    )
    pane = f'<pane ySplit="{frozen}" topLeftCell="A{frozen + 1}" activePane="bottomLeft" state="frozen"/>'
    return (
        f'{DECLARED}<worksheet xmlns="{MAIN}"><sheetViews><sheetView workbookViewId="0">{pane}</sheetView></sheetViews>'
        f"<cols>{columns}</cols><sheetData>"
    )


def sheet_end(marks: Marks) -> str:
    if not marks.line:
        return "</sheetData></worksheet>"
    line = escape(marks.line.replace("&", "＆"))
    return f"</sheetData><headerFooter><oddHeader>&amp;L{line}</oddHeader></headerFooter></worksheet>"


def around(marks: Marks, sheets: int) -> Iterator[tuple[str, str]]:
    """Yield name and text of every part but the sheets."""
    numbers = range(1, sheets + 1)
    yield "[Content_Types].xml", _content_types(sheets)
    yield "_rels/.rels", _relations([("1", "officeDocument", "xl/workbook.xml"), ("2", "", "docProps/core.xml")])
    yield "docProps/core.xml", _properties(marks)
    tabs = "".join(f'<sheet name="{marks.title[:20]}{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    yield (
        "xl/workbook.xml",
        f'{DECLARED}<workbook xmlns="{MAIN}" xmlns:r="{RELATED}"><sheets>{tabs}</sheets></workbook>',
    )
    sheet_parts = [(str(n), "worksheet", sheet_name(n).removeprefix("xl/")) for n in numbers]
    yield "xl/_rels/workbook.xml.rels", _relations([*sheet_parts, (str(sheets + 1), "styles", "styles.xml")])
    yield "xl/styles.xml", DECLARED + STYLES


def _relations(related: Sequence[tuple[str, str, str]]) -> str:
    lines = "".join(
        f'<Relationship Id="rId{number}" Type="{_relation(kind)}" Target="{target}"/>'
        for number, kind, target in related
    )
    return f'{DECLARED}<Relationships xmlns="{PACKAGE}/relationships">{lines}</Relationships>'


def _relation(kind: str) -> str:
    return f"{RELATED}/{kind}" if kind else f"{PACKAGE}/relationships/metadata/core-properties"


def _content_types(sheets: int) -> str:
    types = [
        ("xl/workbook.xml", f"{PREFIX}sheet.main+xml"),
        ("xl/styles.xml", f"{PREFIX}styles+xml"),
        ("docProps/core.xml", "application/vnd.openxmlformats-package.core-properties+xml"),
        *((sheet_name(number), f"{PREFIX}worksheet+xml") for number in range(1, sheets + 1)),
    ]
    overrides = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in types)
    relations = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    return f'{DECLARED}<Types xmlns="{PACKAGE}/content-types">{relations}{overrides}</Types>'


def _properties(marks: Marks) -> str:
    made_at = f"{shanghai(marks.made_at).isoformat(timespec='seconds')}"
    return (
        f'{DECLARED}<cp:coreProperties xmlns:cp="{PACKAGE}/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{escape(marks.title)}</dc:title><dc:creator>{escape(marks.author)}</dc:creator>"
        f"<dc:description>{escape(marks.line)}</dc:description>"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{made_at}</dcterms:created></cp:coreProperties>'
    )


_FONTS = '<fonts count="2"><font><sz val="11"/></font><font><b/><sz val="11"/></font></fonts>'
_FILLS = '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'  # noqa: E501
_XF = '<xf numFmtId="{}" fontId="{}" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"{}/>'
STYLES = (
    f'<styleSheet xmlns="{MAIN}">'
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm"/></numFmts>'
    f'{_FONTS}{_FILLS}<borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="7">'
    + _XF.format(0, 0, "")
    + _XF.format(49, 0, "")
    + _XF.format(49, 0, ' quotePrefix="1"')
    + _XF.format(1, 0, "")
    + _XF.format(2, 0, "")
    + _XF.format(164, 0, "")
    + _XF.format(49, 1, ' applyFont="1"')
    + '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
