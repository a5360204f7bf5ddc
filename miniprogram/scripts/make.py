"""The mini-program's commands, as `make` calls them: with the standard library alone, since they must also say what is
missing where there is no Node.js.

    install                  what package-lock.json names, when it changed
    build [h5] [mp-weixin]   build what isn't up to date, and weigh it
    lint, test               what `make lint` and `make test` do here
    weixin                   check the build for WeChat by weixin-checks/ (needs API, SANDBOX and OPENID of a demo shop)
    demo                     for the Procfile: build for browsers if need be, then wait to be ended
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent.parent
BUILT = HERE / "dist" / "build"
MODULES = HERE / "node_modules"
VAR = Path(os.environ.get("VAR_DIR") or HERE.parent / "var")
NODE = 20
MISSING = (
    f"没有找到 Node.js {NODE} 或更新版本（带 npm），买家页面（小程序和 /m/）无法构建。"
    f"请安装 Node.js {NODE}（https://nodejs.org），再运行 make miniprogram。"
)
TARGETS = ("h5", "mp-weixin")
# The build that is checked: with an address that may be told to WeChat, and apart from what a merchant may upload.
CHECKED = "mp-weixin-checked"
CHECKED_WITH = {"VITE_API_URL": "https://shop.example.com", "VITE_LOGISTICS_PLUGIN": "", "WECHAT_APPID": ""}
# What a build depends on; tests beside the sources don't count.
SOURCES = ("src", "index.html", "package-lock.json", "vite.config.ts")
SOURCES += (".env", ".env.local", ".env.production", ".env.production.local")
# What vite.config.ts and the sources read, by target.
GIVEN: dict[str, tuple[str, ...]] = {
    "h5": (),
    CHECKED: (),
    "mp-weixin": ("VITE_API_URL", "VITE_LOGISTICS_PLUGIN", "WECHAT_APPID"),
}
# Bytes of everything that the phone loads: WeChat's limit for the main package is four times this.
HEAVIEST = 500_000
NOT_UPLOADED = ("project.config.json", "project.private.config.json")


class Failed(Exception):
    """A command went wrong; what it said stands in its output."""


# --- commands ---------------------------------------------------------------------------------------------------------


def install() -> None:
    if not has_node():
        raise Failed(MISSING)
    with alone():
        install_packages()


def build(targets: Sequence[str]) -> None:
    if not has_node():
        raise Failed(MISSING)
    with alone():
        install_packages()
        for target in targets:
            if is_current(target):
                print(f"{target}: 没有变化，不用重新构建")
            else:
                build_one(target)
            weigh(target)


def lint() -> None:
    if present():
        install()
        for command in (tool("vue-tsc", "--noEmit"), tool("eslint", "."), tool("prettier", "--check", ".")):
            say(command)
            run(command)


def test() -> None:
    if present():
        install()
        run(tool("vitest", "run"))


def weixin() -> None:
    build([CHECKED])
    checks = [str(path) for path in sorted((HERE / "weixin-checks").glob("*.test.js"))]
    run(["node", "--test", "--test-concurrency=1", *checks], {"BUILT": str(BUILT / CHECKED), **CHECKED_WITH})


def demo() -> None:
    """Never fails, so that the demo's other processes live on."""
    os.nice(10)
    if not has_node():
        tell("absent", MISSING)
        print(MISSING, "/m/ 用以前的构建。" if (BUILT / "h5").is_dir() else "其余照常。", flush=True)
    else:
        demo_build()
    while True:
        signal.pause()


def demo_build() -> None:
    log = VAR / "miniprogram.log"
    tell("building", "")
    try:
        with alone():
            if not is_current("h5"):
                print("正在准备买家页面 /m/（第一次要一两分钟）…", flush=True)
                with log.open("w") as output:
                    install_packages(output)
                    build_one("h5", output)
    except (Failed, OSError) as problem:
        tell("failed", f"构建失败：{problem}。详见 {log.name}（在 {VAR.name}/ 下）。")
        print(f"买家页面构建失败：{problem}；最后几行（全部在 {log}）：", flush=True)
        print("\n".join(log.read_text(errors="replace").splitlines()[-12:]) if log.exists() else "", flush=True)
    else:
        tell("ready", "")
        print("买家页面已就绪：/m/", flush=True)


def tell(state: str, sentence: str) -> None:
    """Leave word for `/m/`, which shows it until there are pages."""
    VAR.mkdir(parents=True, exist_ok=True)
    fresh = VAR / "miniprogram.json.new"
    fresh.write_text(json.dumps({"state": state, "sentence": sentence}, ensure_ascii=False))
    fresh.replace(VAR / "miniprogram.json")


# --- Node.js and its packages -----------------------------------------------------------------------------------------


def has_node() -> bool:
    node = shutil.which("node")
    if not (node and shutil.which("npm")):
        return False
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout  # noqa: S603
    major = version.strip().lstrip("v").partition(".")[0]
    return major.isdecimal() and int(major) >= NODE


def present() -> bool:
    """Say whether there is Node.js; its absence is an error only where everything is required."""
    if has_node():
        return True
    if os.environ.get("REQUIRE_SERVICES") == "1":
        raise Failed(MISSING)
    print(f"跳过小程序的检查：{MISSING}")
    return False


def install_packages(output: IO[str] | None = None) -> None:
    """Install what package-lock.json says, when it says something new."""
    mark, wanted = MODULES / ".installed", digest_of([HERE / "package-lock.json"])
    if mark.exists() and mark.read_text() == wanted:
        return
    say(["npm", "ci"], output)
    run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], output=output)
    mark.write_text(wanted)


def tool(name: str, *arguments: str) -> list[str]:
    return [str(MODULES / ".bin" / name), *arguments]


# --- builds -----------------------------------------------------------------------------------------------------------


def build_one(target: str, output: IO[str] | None = None) -> None:
    """Build beside, then put in place: whoever serves or reads the former build never meets half of one."""
    fresh, old = BUILT / f".{target}.new", BUILT / f".{target}.old"
    wanted = digest_for(target)
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    given = {"UNI_OUTPUT_DIR": str(fresh)} | (CHECKED_WITH if target == CHECKED else {})
    command = tool("uni", "build", "-p", "h5" if target == "h5" else "mp-weixin")
    say(command, output)
    if output:
        run(command, given, output=output)
    else:
        with (BUILT / f"{target}.log").open("w+") as quiet:
            _show_on_failure(command, given, quiet)
    (BUILT / f"{target}.sources").unlink(missing_ok=True)
    if (BUILT / target).exists():
        (BUILT / target).rename(old)
    fresh.rename(BUILT / target)
    shutil.rmtree(old, ignore_errors=True)
    (BUILT / f"{target}.sources").write_text(wanted)


def _show_on_failure(command: list[str], given: Mapping[str, str], quiet: IO[str]) -> None:
    """The builder advertises and warns of its own parts; its words matter only where it failed."""
    try:
        run(command, given, output=quiet)
    except Failed:
        quiet.seek(0)
        print(quiet.read(), flush=True)
        raise


def is_current(target: str) -> bool:
    mark = BUILT / f"{target}.sources"
    return (BUILT / target).is_dir() and mark.exists() and mark.read_text() == digest_for(target)


def digest_for(target: str) -> str:
    """Return what a build of the target is made of, as one word: contents, since a checkout moves dates both ways."""
    found = [path for name in SOURCES for path in (HERE / name, *(HERE / name).rglob("*")) if path.is_file()]
    given = {name: os.environ.get(name, "") for name in GIVEN[target]}
    return digest_of([path for path in sorted(found) if ".test." not in path.name], json.dumps(given))


def digest_of(paths: Sequence[Path], more: str = "") -> str:
    total = hashlib.sha256(more.encode())
    for path in paths:
        contents = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(HERE)} {contents}\n".encode())
    return total.hexdigest()


def weigh(target: str) -> None:
    sizes = [
        path.stat().st_size for path in (BUILT / target).rglob("*") if path.is_file() and path.name not in NOT_UPLOADED
    ]
    total = sum(sizes)
    print(f"{target}: {len(sizes)} 个文件，{total / 1000:.0f} kB（上限 {HEAVIEST // 1000} kB）  {BUILT / target}")
    if total > HEAVIEST:
        raise Failed(f"{target} 太大：{total / 1000:.0f} kB，超过 {HEAVIEST // 1000} kB")


# --- processes --------------------------------------------------------------------------------------------------------


def run(command: list[str], given: Mapping[str, str] | None = None, *, output: IO[str] | None = None) -> None:
    """Run in a group of its own, which ends with us: npm's children outlive npm otherwise."""
    started: subprocess.Popen[bytes] | None = None
    ending.put_off = True
    try:
        started = subprocess.Popen(  # noqa: S603 (no command comes from outside)
            command,
            cwd=HERE,
            env={**os.environ, **(given or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
        )
        ending.put_off = False
        if ending.asked:
            ended()
        code = started.wait()
    except BaseException:
        ending.put_off = False
        if started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGTERM)
            started.wait()
        raise
    if code:
        raise Failed(f"{Path(command[0]).name} {' '.join(command[1:4])} 以 {code} 结束")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one at a time install and build in this folder."""
    BUILT.mkdir(parents=True, exist_ok=True)
    with (BUILT / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(command: list[str], output: IO[str] | None = None) -> None:
    words = " ".join([Path(command[0]).name, *command[1:]])
    print(f"{time.strftime('%H:%M:%S')} {words}", file=output, flush=True)


class ending:  # noqa: N801 (one for the process)
    """While a process is being started nobody could end it yet: who asks meanwhile is heard right after."""

    put_off = False
    asked = False


def ended(*_: object) -> None:
    # What runs is ended on the way out; a second signal doesn't interrupt that.
    ending.asked = True
    if ending.put_off:
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(0 if "demo" in sys.argv else 130)


def main(verb: str = "", *targets: str) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ended)
    verbs = {
        "install": install,
        "build": lambda: build(targets or TARGETS),
        "lint": lint,
        "test": test,
        "weixin": weixin,
        "demo": demo,
    }
    if verb not in verbs or not set(targets) <= set(TARGETS):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        verbs[verb]()
    except Failed as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
