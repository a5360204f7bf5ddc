"""The commands that install, build and check the mini-program, with stand-ins for Node.js and the builder."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "miniprogram" / "scripts" / "make.py"
pytestmark = [
    pytest.mark.skipif(bool(os.environ.get("REDIS_URL")), reason="the same on either run"),
    pytest.mark.timeout(240),
]

# `npm ci` brings the builder, which copies the sources and writes as much as `src/weight` says.
NPM = """#!/bin/sh
echo "npm $*" >> "$CALLS"
[ -e broken-npm ] && { echo "npm is broken"; exit 7; }
rm -rf node_modules; mkdir -p node_modules/.bin
cat > node_modules/.bin/uni <<'END'
#!/bin/sh
echo "uni $*" >> "$CALLS"
[ -e slow ] && { sh -c 'echo $$ > child; sleep 300' & wait; }
mkdir -p "$UNI_OUTPUT_DIR"; cp src/page "$UNI_OUTPUT_DIR/index.html"
[ -e src/weight ] && head -c "$(cat src/weight)" /dev/zero > "$UNI_OUTPUT_DIR/vendor.js"
[ -e broken-uni ] && { echo "unexpected token"; exit 1; }
exit 0
END
for tool in vue-tsc eslint prettier vitest; do
  printf '#!/bin/sh\\necho "%s $*" >> "$CALLS"\\n[ ! -e broken-%s ]\\n' $tool $tool > node_modules/.bin/$tool
done
chmod +x node_modules/.bin/*
"""


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder, self.var, self.bin = folder / "miniprogram", folder / "var", folder / "bin"
        (self.folder / "scripts").mkdir(parents=True)
        self.script = Path(shutil.copy(SCRIPT, self.folder / "scripts"))
        self.write("package-lock.json", "1")
        self.write("src/page", "first")
        self.bin.mkdir()
        self.program("node", "#!/bin/sh\necho v20.20.2\n")
        self.program("npm", NPM)
        self.path = f"{self.bin}:/usr/bin:/bin"

    def write(self, name: str, text: str = "") -> None:
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": self.path, "VAR_DIR": str(self.var), "CALLS": str(self.folder / "calls")}

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(self.script), *words]
        return subprocess.run(command, env=self.environment | environment, capture_output=True, text=True, timeout=40)

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(self.script), *words]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True)

    @property
    def calls(self) -> list[str]:
        calls = self.folder / "calls"
        return [line.split(" -")[0] for line in calls.read_text().splitlines()] if calls.exists() else []

    @property
    def state(self) -> dict[str, str]:
        state = self.var / "miniprogram.json"
        return json.loads(state.read_text()) if state.exists() else {"state": ""}

    def built(self, target: str = "h5") -> str:
        return (self.folder / "dist" / "build" / target / "index.html").read_text()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 90  # the demo builds at the lowest priority
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    return said


def test_both_targets_are_built_once_and_again_when_a_source_changed(project):
    assert project.run("build").returncode == 0
    assert project.calls == ["npm ci", "uni build", "uni build"]
    assert "没有变化" in project.run("build").stdout
    assert len(project.calls) == 3
    project.write("src/page", "second")
    project.run("build", "h5")
    assert (project.built("h5"), project.built("mp-weixin")) == ("second", "first")


def test_tests_beside_the_sources_do_not_make_a_build_old(project):
    project.run("build", "h5")
    project.write("src/page.test.ts", "new")
    assert "没有变化" in project.run("build", "h5").stdout


def test_another_address_of_the_api_is_another_build_for_wechat_alone(project):
    project.run("build")
    said = project.run("build", VITE_API_URL="https://shop.example.com").stdout
    assert "h5: 没有变化" in said
    assert "mp-weixin: 没有变化" not in said


def test_packages_are_installed_again_only_when_the_lock_changed(project):
    project.run("lint")
    project.run("test")
    assert project.calls == ["npm ci", "vue-tsc", "eslint .", "prettier", "vitest run"]
    project.write("package-lock.json", "2")
    project.run("test")
    assert project.calls[-2:] == ["npm ci", "vitest run"]


def test_an_installation_that_broke_off_is_begun_again(project):
    project.write("broken-npm")
    assert project.run("build", "h5").returncode == 1
    (project.folder / "broken-npm").unlink()
    assert project.run("build", "h5").returncode == 0
    assert project.built() == "first"


def test_a_failed_build_is_told_and_leaves_the_former_in_place(project):
    project.run("build", "h5")
    project.write("src/page", "second")
    project.write("broken-uni")
    failed = project.run("build", "h5")
    assert (failed.returncode, project.built()) == (1, "first")
    assert "unexpected token" in failed.stdout
    (project.folder / "broken-uni").unlink()
    assert project.run("build", "h5").returncode == 0
    assert project.built() == "second"


def test_what_is_too_heavy_for_a_phone_is_refused_every_time(project):
    project.write("src/weight", "500000")
    for _ in range(2):
        refused = project.run("build", "mp-weixin")
        assert refused.returncode == 1
        assert "mp-weixin 太大" in refused.stderr
    project.write("src/weight", "400000")
    assert project.run("build", "mp-weixin").returncode == 0


@pytest.mark.parametrize(("verb", "tool"), [("lint", "eslint"), ("lint", "prettier"), ("test", "vitest")])
def test_what_a_check_finds_fails_the_command(project, verb, tool):
    project.write(f"broken-{tool}")
    assert project.run(verb).returncode == 1


def without_node(project: Project) -> None:
    project.path = str(project.folder)


def with_old_node(project: Project) -> None:
    project.program("node", "#!/bin/sh\necho v18.19.0\n")


@pytest.mark.parametrize("lacking", [without_node, with_old_node])
def test_without_node_a_build_fails_and_checks_are_left_out_unless_required(project, lacking):
    lacking(project)
    assert "Node.js 20" in project.run("build").stderr
    assert [project.run(verb).returncode for verb in ("build", "lint", "test")] == [1, 0, 0]
    assert [project.run(verb, REQUIRE_SERVICES="1").returncode for verb in ("lint", "test")] == [1, 1]
    assert project.calls == []


def test_the_demo_builds_says_so_and_stays_until_it_is_ended(project):
    process = project.start("demo")
    until(lambda: project.state["state"] == "ready")
    assert (project.built(), process.poll()) == ("first", None)
    assert "买家页面已就绪" in end(process)
    assert process.returncode == 0


def test_the_demo_without_node_says_what_is_missing_and_stays(project):
    without_node(project)
    process = project.start("demo")
    until(lambda: project.state["state"] == "absent")
    assert "Node.js 20" in project.state["sentence"]
    assert (process.poll(), "Node.js 20" in end(process, signal.SIGINT), process.returncode) == (None, True, 0)


@pytest.mark.parametrize(("broken", "said"), [("broken-npm", "npm is broken"), ("broken-uni", "unexpected token")])
def test_a_build_that_fails_is_told_and_takes_nothing_down(project, broken, said):
    project.write(broken)
    process = project.start("demo")
    until(lambda: project.state["state"] == "failed")
    assert "miniprogram.log" in project.state["sentence"]
    assert process.poll() is None
    assert said in end(process)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("verb", ["demo", "build"])
def test_whoever_ends_it_in_the_midst_of_a_build_ends_the_builders_children(project, number, verb):
    project.write("slow")
    process, child = project.start(verb), project.folder / "child"
    until(lambda: child.exists() and child.read_text().strip())
    end(process, number)
    assert process.returncode == (0 if verb == "demo" else 130)
    until(lambda: not Path(f"/proc/{child.read_text().strip()}/cmdline").exists() or not alive(child))


def alive(child: Path) -> bytes:
    """Return the command of the process; one that waits to be buried has none."""
    try:
        return Path(f"/proc/{child.read_text().strip()}/cmdline").read_bytes()
    except OSError:
        return b""


def test_nonsense_is_answered_with_what_there_is(project):
    assert project.run("bild").returncode == project.run("build", "alipay").returncode == 2
