"""Telephone numbers as buyers and shops write them, brought to one form each.

Mainland mobile `13812341234`, landline `021-12345678`, either with an extension `-1234`
(private numbers end so), Hong Kong, Macau and Taiwan `+85291234567`.
"""

import re
import unicodedata

from frozenshop.kernel.errors import Invalid

_MAX_LENGTH = 40
_DASHES = re.compile(r"[‐‑‒–—―−ー_]")
_BLANKS = re.compile(r"[\s().·]+")
_EXTENSION = re.compile(r"(?:-?(?:转|轉|分机号?|ext|extn|x|#|,)[:]?-?)([0-9]{1,6})$", re.IGNORECASE)
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_LANDLINE = re.compile(r"(0(?:10|2[0-9]|[3-9][0-9]{2}))-?([0-9]{7,8})(?:-([0-9]{1,6}))?")
_OVERSEAS = re.compile(r"(?:\+|00)?-?(852|853|886)-?([0-9-]+)")
_OVERSEAS_NUMBER = {
    "852": re.compile(r"[2-9][0-9]{7}"),
    "853": re.compile(r"[268][0-9]{7}"),
    "886": re.compile(r"[2-9][0-9]{7,8}"),
}
_MAINLAND_PREFIX = re.compile(r"(?:\+|00)86-?|86-?(?=1[3-9])")

MESSAGE = "电话号码无法识别：请填写手机号、带区号的座机，或 +852/+853/+886 开头的号码，分机写在“-”或“转”之后"


def normalise(text: str) -> str:
    """Return the one form of a number. Raises Invalid."""
    written = _BLANKS.sub("", _DASHES.sub("-", unicodedata.normalize("NFKC", text[: _MAX_LENGTH + 1])))
    found = None if len(text) > _MAX_LENGTH else _overseas(written) or _mainland(written)
    if found is None:
        raise Invalid(MESSAGE, fields={"phone": MESSAGE})
    return found


def tail(phone: str) -> str:
    """Return the last four digits of a normalised number, not counting an extension."""
    return main_number(phone)[-4:]


def main_number(phone: str) -> str:
    """Return a normalised number without its extension."""
    parts = phone.split("-")
    return "".join(parts[:2]) if phone.startswith("0") else parts[0]


def local_number(phone: str) -> str:
    """Return a normalised number as it is dialled on the spot: without region, area code and extension."""
    if phone.startswith("+"):
        return phone[4:]
    return phone.split("-")[1] if phone.startswith("0") else main_number(phone)


def _overseas(written: str) -> str | None:
    match = _OVERSEAS.fullmatch(written)
    if match is None:
        return None
    region, number = match[1], match[2].replace("-", "")
    if region == "886":
        number = number.removeprefix("0")
    return f"+{region}{number}" if _OVERSEAS_NUMBER[region].fullmatch(number) else None


def _mainland(written: str) -> str | None:
    prefix = _MAINLAND_PREFIX.match(written)
    if prefix is not None:
        written = written[prefix.end() :]
        if not _MOBILE.match(written.replace("-", "")) and not written.startswith("0"):
            written = f"0{written}"  # +86 21 …: abroad the area code is written without its zero
    if written.endswith("-") or "--" in written:
        return None
    extension = _EXTENSION.search(written)
    if extension is not None:
        return _with_extension(written[: extension.start()], extension[1])
    if landline := _LANDLINE.fullmatch(written):
        return "-".join(part for part in landline.groups() if part)
    head, _, last = written.rpartition("-")
    return _plain(written) or (_with_extension(head, last) if re.fullmatch(r"[0-9]{1,6}", last) else None)


def _plain(written: str) -> str | None:
    digits = written.replace("-", "")
    if _MOBILE.fullmatch(digits):
        return digits
    landline = _LANDLINE.fullmatch(digits)
    return f"{landline[1]}-{landline[2]}" if landline else None


def _with_extension(written: str, extension: str) -> str | None:
    number = _plain(written)
    return f"{number}-{extension}" if number else None
