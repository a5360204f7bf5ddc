"""Drive a web server with wrk, from requests prepared beforehand (each needs its own nonce and signature)."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = """
local requests, at = {}, 0
local threads = 0
function setup(thread) thread:set("offset", threads); threads = threads + 1 end
function init(args)
  local file = assert(io.open(args[1], "rb"))
  local all = file:read("*a"); file:close()
  local position = 1
  while position <= #all do
    local line_end = all:find("\\n", position, true)
    local length = tonumber(all:sub(position, line_end - 1))
    requests[#requests + 1] = all:sub(line_end + 1, line_end + length)
    position = line_end + length + 1
  end
  at = offset * math.floor(#requests / tonumber(args[2]))
end
function request()
  at = at + 1
  if at > #requests then wrk.thread:stop(); return requests[#requests] end
  return requests[at]
end
local bad = 0
function response(status) if status < 200 or status > 299 then bad = bad + 1 end end
"""


@dataclass(frozen=True)
class Outcome:
    """What one run gave; `bad` counts answers other than 2xx and broken connections."""

    per_second: float
    p99_ms: float
    requests: int
    bad: int


def raw_request(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def drive(port: int, requests: Sequence[bytes], *, seconds: int, connections: int = 16) -> Outcome:
    """Send the prepared requests in order over `connections`; stops after `seconds` or when they are used up."""
    with tempfile.TemporaryDirectory() as folder:
        prepared, script = Path(folder) / "requests", Path(folder) / "drive.lua"
        prepared.write_bytes(b"".join(b"%d\n%s" % (len(request), request) for request in requests))
        script.write_text(SCRIPT)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
        printed = subprocess.run(
            [*command, f"http://127.0.0.1:{port}/", "--", str(prepared), "1"],
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=True,
        ).stdout
    bad = sum(int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", printed))
    bad += sum(int(n) for n in re.findall(r"(?:connect|read|write|timeout) (\d+)", printed))
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", printed)
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    return Outcome(
        per_second=float(re.search(r"Requests/sec:\s+([\d.]+)", printed)[1]),  # type: ignore[index]
        p99_ms=float(p99[1]) * scale[p99[2]] if p99 else float("nan"),
        requests=int(re.search(r"(\d+) requests in", printed)[1]),  # type: ignore[index]
        bad=bad,
    )


@contextmanager
def served(application: str, *, port: int, environment: dict[str, str], workers: int = 2) -> Iterator[None]:
    """Serve a WSGI application with Granian with as many workers as in production, and stop it afterwards."""
    command = [str(Path(sys.executable).parent / "granian"), "--interface", "wsgi", "--host", "127.0.0.1"]
    command += [
        "--port",
        str(port),
        "--workers",
        str(workers),
        "--blocking-threads",
        "4",
        "--no-ws",
        "--log-level",
        "warning",
    ]
    process = subprocess.Popen([*command, application], env=os.environ | environment, cwd=ROOT)
    try:
        _wait_until_it_answers(port)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_it_answers(port: int) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1)
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"nothing answers on port {port}")


def show(title: str, **figures: object) -> None:
    print(json.dumps({"benchmark": title, **figures}, ensure_ascii=False), flush=True)
