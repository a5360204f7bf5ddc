"""Exit 0 if the role that this container plays is alive: the web tier by its address, the others by their sign of life.

Only the standard library, so that it costs a moment and no start of the program.
"""

import os
import sys
import time
import urllib.request
from pathlib import Path

SILENT_SECONDS = 60
VAR_DIR = Path(os.environ.get("VAR_DIR", "/tmp/frozenshop"))


def main() -> int:
    role = sys.argv[1] if len(sys.argv) > 1 else (VAR_DIR / "role").read_text().strip()
    if role == "web":
        url = f"http://127.0.0.1:{os.environ.get('PORT', '8080')}/healthz"
        with urllib.request.urlopen(url, timeout=3) as answer:
            return 0 if answer.status == 200 else 1
    if role not in ("worker", "relay", "beat"):
        return 0
    silent = time.time() - (VAR_DIR / f"alive-{role}").stat().st_mtime
    print(f"{role}: last sign of life {silent:.0f} s ago")
    return 0 if silent < SILENT_SECONDS else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        print(error)
        sys.exit(1)
