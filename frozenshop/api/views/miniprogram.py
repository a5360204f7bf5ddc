"""The mini-program's build for browsers under `/m/`: a handful of files, held in memory and changed as a whole.

Only what was read from the folder can be asked for, so no address leads out of it. While a build replaces the folder
the former one stays; where there is none yet, the demo says what is under way.
"""

import gzip
import hashlib
import json
import mimetypes
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.views.decorators.http import require_safe

INDEX = "index.html"
STATE = "miniprogram.json"
REFRESH_SECONDS = 3
# No script and no style stands in the page itself: Vue sets styles through the CSSOM, which needs no leave.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
# The builder puts eight letters of the contents' digest into these names: another content is another name.
HASHED = re.compile(r"^assets/.+[.-][\w-]{8}\.\w+$")
UNCHANGING = "public, max-age=31536000, immutable"
TEXT = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class File:
    name: str
    body: bytes

    @cached_property
    def content_type(self) -> str:
        return TEXT.get(Path(self.name).suffix) or mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:32]

    @cached_property
    def zipped(self) -> bytes | None:
        small = gzip.compress(self.body, mtime=0) if Path(self.name).suffix in TEXT else self.body
        return small if len(small) < len(self.body) else None


@dataclass(frozen=True)
class Build:
    """What the folder held when its first page was written."""

    stamp: tuple[str, int]
    files: dict[str, File]


_held: Build | None = None


def current() -> Build | None:
    """Return the newest whole build, read again when its first page was written anew; None where there was none."""
    global _held
    folder = Path(settings.MINIPROGRAM_DIR)
    try:
        stamp = str(folder), (folder / INDEX).stat().st_mtime_ns
        if _held is None or _held.stamp != stamp:
            _held = Build(stamp, _read(folder))
    except OSError:
        return _held if _held and _held.stamp[0] == str(folder) else None
    return _held


def _read(folder: Path) -> dict[str, File]:
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {name: File(name, path.read_bytes()) for path in paths for name in [path.relative_to(folder).as_posix()]}


@require_safe
def miniprogram(request: HttpRequest, name: str = INDEX) -> HttpResponseBase:
    build = current()
    if build is None:
        return _absent()
    file = build.files.get(name)
    if file is None:
        raise Http404
    return _answer(request, file)


def _answer(request: HttpRequest, file: File) -> HttpResponseBase:
    zipped = file.zipped if _takes_gzip(request) else None
    etag = f'"{file.digest}{"-gzip" if zipped else ""}"'
    fresh = HttpResponse(zipped or file.body, content_type=file.content_type, headers=HEADERS)
    fresh["Cache-Control"] = UNCHANGING if HASHED.match(file.name) else "no-cache"
    fresh["ETag"] = etag
    patch_vary_headers(fresh, ["Accept-Encoding"])
    if zipped:
        fresh["Content-Encoding"] = "gzip"
    fresh["Content-Length"] = str(len(fresh.content))
    answer = get_conditional_response(request, etag=etag, response=fresh)
    if request.method == "HEAD" and isinstance(answer, HttpResponse):
        answer.content = b""
    return answer or fresh


def _takes_gzip(request: HttpRequest) -> bool:
    """Read Accept-Encoding as far as it matters: gzip named, and not refused by q=0."""
    accepted = request.headers.get("Accept-Encoding", "").lower()
    return bool(re.search(r"(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)", accepted))


def _absent() -> HttpResponse:
    """Say in the demo how far the pages are; elsewhere nobody was promised any."""
    if not settings.LOCAL_DEMO:
        raise Http404
    state = _state()
    waits = state.get("state") in ("", "building")
    shown = {"waits": waits, "sentence": state.get("sentence", ""), "seconds": REFRESH_SECONDS}
    answer = HttpResponse(render_to_string("miniprogram/absent.html", shown), status=503, headers=HEADERS)
    answer["Cache-Control"] = "no-store"
    # Django would write an error into the demo's terminal for each of these.
    answer._has_been_logged = True  # type: ignore[attr-defined]
    if waits:
        answer["Retry-After"] = str(REFRESH_SECONDS)
    return answer


def _state() -> dict[str, str]:
    """Return what `miniprogram/scripts/pages.py` last told of its work."""
    try:
        told = json.loads((Path(settings.VAR_DIR) / STATE).read_bytes())
    except (OSError, ValueError):
        told = {}
    return {"state": "", "sentence": "", **told}
