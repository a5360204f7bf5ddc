"""The report of a dry run as a spreadsheet, which no program runs as formulas."""

import csv
import io
import tempfile
from collections.abc import Iterable

from frozenshop.backoffice.batches import files
from frozenshop.backoffice.batches.models import Batch, BatchFile
from frozenshop.backoffice.export import safe_cell
from frozenshop.backoffice.importing.findings import Finding

HEADER = ("行", "列", "问题", "说明", "导入时")


def keep(batch: Batch, found: Iterable[Finding]) -> BatchFile:
    """Write the report beside the check. Call it inside a transaction."""
    with tempfile.TemporaryFile() as target:
        text = io.TextIOWrapper(target, encoding="utf-8-sig", newline="", write_through=True)
        writer = csv.writer(text)
        writer.writerow(HEADER)
        for one in found:
            row = (str(one.row), one.column_label, one.kind_label, one.sentence, "跳过" if one.blocks else "照常")
            writer.writerow([safe_cell(cell) for cell in row])
        text.flush()
        text.detach()
        target.seek(0)
        return files.keep(batch, BatchFile.Kind.RESULT, f"import-{batch.pk}-report.csv", "text/csv", target)
