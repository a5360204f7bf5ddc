"""`classify_texts` and `train_texts`: files good and bad, no traceback."""

import csv
import io

import pytest
from django.core.management import CommandError, call_command


def classify(tmp_path, content: bytes | str, *options: str) -> str:
    file = tmp_path / "texts.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    out = io.StringIO()
    call_command("classify_texts", str(file), *options, stdout=out)
    return out.getvalue()


def test_the_rows_come_back_with_what_they_say(tmp_path):
    out = classify(tmp_path, "id,carrier,text,status\n7,SF,快件已签收,x\n8,SF,你好,\n")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["id"] for row in rows] == ["7", "8"]
    assert [(row["status"], bool(row["confidence"])) for row in rows] == [("delivered", True), ("", False)]


def test_a_byte_order_mark_quotes_and_line_breaks_are_fine(tmp_path):
    out = classify(tmp_path, '\ufeffcarrier,text\r\nSF,"正在派送,\n请准备签收"\r\n')
    assert "out_for_delivery" in out


def test_a_file_is_scored_by_its_labels(tmp_path):
    out = classify(tmp_path, "carrier,text,status\nSF,快件已签收,签收\nSF,你好,在途\n", "--score")
    assert "| SF | 2 | 1 (50%) | 1/1 (100.0%) |" in out


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", 2),
        (b"carrier\nSF\n", 2),
        (b"carrier,text,text\nSF,a,b\n", 2),
        ("carrier,text\nSF,签收\n".encode("gb18030"), 1),
        (b"carrier,text\nSF,a\0b\n", 1),
        (b"carrier,text\nSF," + b"x" * 200_000, 1),
        (b"carrier,text\nSF,a,b,c\n", 1),
    ],
)
def test_a_bad_file_gets_a_sentence(tmp_path, content, code):
    with pytest.raises(CommandError) as refused:
        classify(tmp_path, content)
    assert refused.value.returncode == code


def test_no_file_and_no_labels_are_wrong_use(tmp_path):
    with pytest.raises(CommandError, match="不存在"):
        call_command("classify_texts", str(tmp_path / "none.csv"))
    with pytest.raises(CommandError, match="status"):
        classify(tmp_path, "carrier,text\n", "--score")


def test_an_unknown_label_is_not_learnt(tmp_path):
    file = tmp_path / "texts.csv"
    file.write_text("carrier,text,status\nSF,快件,飞了\n", encoding="utf-8")
    with pytest.raises(CommandError, match="飞了"):
        call_command("train_texts", str(file))
