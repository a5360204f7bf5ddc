"""WeChat's stand-in as a process that can be killed: `python -m notifications.tests.hasty.sandbox PORT FOLDER`."""

import sys
from pathlib import Path

from sandbox.config import Config
from sandbox.server import run

if __name__ == "__main__":
    run(
        Config(
            "1", "key", "wx0123456789abcdef", "test-only-app-secret", port=int(sys.argv[1]), state_dir=Path(sys.argv[2])
        )
    )
