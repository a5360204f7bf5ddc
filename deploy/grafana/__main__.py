"""Write the dashboards: `python -m deploy.grafana`; with `--check` end with 1 where what is written is stale."""

import sys
from pathlib import Path

from deploy.grafana.boards import BOARDS
from deploy.grafana.panels import render

FOLDER = Path(__file__).parent / "dashboards"


def stale() -> list[str]:
    """Name the files that aren't what the code says, or that no board has any more."""
    wanted = {f"{board.uid}.json": render(board) for board in BOARDS}
    there = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def write() -> None:
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for board in BOARDS:
        (FOLDER / f"{board.uid}.json").write_text(render(board))


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: python -m deploy.grafana [--check]", file=sys.stderr)
        return 2
    if arguments:
        names = stale()
        print("\n".join(f"stale: {name}" for name in names) or "dashboards are up to date")
        return 1 if names else 0
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
