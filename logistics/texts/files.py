"""Files of sentences: `carrier,text` and whatever else."""

import csv
from collections.abc import Iterator
from pathlib import Path

REQUIRED = ("carrier", "text")
_LONGEST_FIELD = 100_000


class BadFile(Exception):
    """A file that can't be read; the sentence says what to do. `wrong_use`: it is not such a file at all."""

    def __init__(self, sentence: str, *, wrong_use: bool = False) -> None:
        super().__init__(sentence)
        self.wrong_use = wrong_use


def read_rows(path: Path) -> tuple[list[str], Iterator[dict[str, str]]]:
    """Return the columns and the rows of a UTF-8 file. Raises BadFile, also while the rows are read."""
    if not path.is_file():
        raise BadFile(f"文件不存在：{path}", wrong_use=True)
    rows = _lines(path)
    columns = [name.strip() for name in next(rows, [])]
    if not columns:
        raise BadFile("文件是空的：第一行应为表头 carrier,text", wrong_use=True)
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise BadFile(f"缺少列 {'、'.join(missing)}：第一行应为表头 carrier,text", wrong_use=True)
    if len(set(columns)) < len(columns):
        raise BadFile("表头里有重复的列名，请改名后再试", wrong_use=True)
    return columns, _rows(columns, rows)


def _rows(columns: list[str], rows: Iterator[list[str]]) -> Iterator[dict[str, str]]:
    for number, cells in enumerate(rows, start=2):
        if len(cells) > len(columns):
            raise BadFile(f"第 {number} 行有 {len(cells)} 列，多于表头的 {len(columns)} 列：含逗号的文字请加双引号")
        if cells:
            yield dict(zip(columns, cells + [""] * (len(columns) - len(cells)), strict=True))


def _lines(path: Path) -> Iterator[list[str]]:
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for cells in csv.reader(file):
                if any("\0" in cell for cell in cells):
                    raise BadFile("文件里有 NUL 字符，不是文本文件：请另存为 UTF-8 的 CSV")
                yield cells
    except UnicodeDecodeError as error:
        raise BadFile("文件不是 UTF-8 编码：请另存为 UTF-8 的 CSV") from error
    except csv.Error as error:
        raise BadFile(f"文件不是有效的 CSV（{error}）：单个字段最多 {_LONGEST_FIELD} 字") from error
    except OSError as error:
        raise BadFile(f"文件无法读取：{error.strerror}") from error
