"""Cells that some spreadsheet program would run, and how they may be told from their text."""

FORMULAS = (
    *("=1+1", "+1+1", "-1+1", "@SUM(1,1)", '=HYPERLINK("http://127.0.0.1/","x")', "=cmd|'/C calc'!A0"),
    *("＝1+1", "＋1+1", "－1+1", "＠SUM(1,1)", "﹢1", "﹣1", " =1+1", "\u3000=1+1", "\u00a0=1+1"),
    *("\u2003=1+1", "\u200b=1+1", "\ufeff=1+1", "\u2060 ＝1+1", "\u202a=1+1"),
    *("\t=1+1", "\r=1+1", "\n=1+1", "\r\n=1+1", "=1+1\t", ";=1+1", '"=1+1', "'=1+1", "=\u20281+1"),
    *("%0A=1+1", "{=1+1}", "+86 138", "-", "=", "@", "1\n=1+1", "<script>=1</script>"),
    *('DDE("cmd";"/C calc";"x")', '=DDE("soffice";"/tmp/x";"a")', '=WEBSERVICE("http://127.0.0.1/")'),
    '=IMPORTXML("http://127.0.0.1/","//a")',
)
BLANKS = " \u3000\u00a0\u2003\u200b\ufeff\u2060\u202a"
BEGINNINGS = "=+-@＝＋－＠﹢﹣\t\r\n"
HARMLESS = ("A-1", "000123", "773000000000001", "虾仁×2", "2026-11-01", "1e5", "TRUE", "a&b<c>\"d'", "x_x000D_y", "😀")
