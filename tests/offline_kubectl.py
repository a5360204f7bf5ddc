"""`kubectl` on a folder of manifests instead of a cluster: what changes something is carried out by the real one.

`offline_kubectl.py FOLDER --namespace=… get|set image|annotate|scale|rollout status …`
"""

import json
import subprocess
import sys
from pathlib import Path


def main(folder: Path, arguments: list[str]) -> None:
    verb, rest = arguments[0], arguments[1:]
    if verb == "get":
        print(manifest(folder, f"{rest[0]}/{rest[1]}").read_text())
    elif verb == "rollout":
        manifest(folder, rest[1])
    elif verb == "scale":
        replicas = int(rest[1].removeprefix("--replicas="))
        change(folder, rest[0], "patch", "--type=merge", f"--patch={json.dumps({'spec': {'replicas': replicas}})}")
    elif verb == "set":
        change(folder, rest[1], "set", "image", *rest[2:])
    elif verb == "annotate":
        change(folder, rest[1], "annotate", rest[0], *rest[2:])
    else:
        sys.exit(f"unknown: {arguments}")


def manifest(folder: Path, thing: str) -> Path:
    path = folder / f"{thing.replace('/', '-')}.json"
    if not path.exists():
        sys.exit(f"Error from server (NotFound): {thing}")
    return path


def change(folder: Path, thing: str, *command: str) -> None:
    path = manifest(folder, thing)
    words = [word for word in command if not word.startswith("-") and "=" not in word]
    rest = [word for word in command if word not in words]
    done = subprocess.run(
        ["kubectl", *words, "--local", f"--filename={path}", "--output=json", *rest], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr)
    path.write_text(done.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [word for word in sys.argv[2:] if not word.startswith("--namespace")])
