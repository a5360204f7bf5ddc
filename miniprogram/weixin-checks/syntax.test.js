/** Every template and every style sheet of the build goes through WeChat's own compilers. */
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";

const load = createRequire(import.meta.url);
const BUILT = path.resolve(process.env.BUILT);
const names = fs.readdirSync(BUILT, { recursive: true }).map((name) => name.split(path.sep).join("/"));
const without = (ending) =>
  names.filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length));
const MOST = { maxBuffer: 64 * 1024 * 1024 };

test("templates compile", () => {
  const compiled = load("miniprogram-compiler/src/wcc")(BUILT, without(".wxml"), [], MOST);
  for (const name of without(".wxml")) assert.ok(compiled.includes(`${name}.wxml`), name);
});

for (const name of without(".wxss"))
  test(`${name}.wxss compiles`, () => {
    const compiled = load("miniprogram-compiler/src/wcsc")(BUILT, [name], MOST);
    assert.ok(!(compiled instanceof Error), String(compiled));
  });

test("the compilers do refuse what is wrong", () => {
  const folder = fs.mkdtempSync(path.join(BUILT, "..", "broken-"));
  try {
    fs.writeFileSync(path.join(folder, "page.wxml"), "<view><text></view>");
    fs.writeFileSync(path.join(folder, "page.wxss"), ".a { color: red; ] }");
    assert.throws(() => load("miniprogram-compiler/src/wcc")(folder, ["page"], [], MOST), /page\.wxml/);
    assert.ok(load("miniprogram-compiler/src/wcsc")(folder, ["page"], MOST) instanceof Error);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test("what the program declares is there, and the privacy check is on", () => {
  const app = JSON.parse(fs.readFileSync(path.join(BUILT, "app.json"), "utf8"));
  for (const page of app.pages)
    for (const ending of [".js", ".json", ".wxml"]) assert.ok(names.includes(page + ending), page + ending);
  assert.equal(app.__usePrivacyCheck__, true);
  assert.ok(app.pages.includes("pages/order/detail"), "the server's links lead there");
});

test("neither secrets nor other people's hosts nor an undeclared plugin are in the package", () => {
  const HARMLESS = ["vuejs.org", "uniapp.dcloud.net.cn", new URL(process.env.VITE_API_URL).hostname];
  for (const name of names.filter((name) => /\.(js|wxml|wxss|json)$/.test(name))) {
    const text = fs.readFileSync(path.join(BUILT, name), "utf8");
    const hosts = [...text.matchAll(/https?:\/\/([\w.-]+\.[a-z]+)/g)].map(([, host]) => host);
    assert.deepEqual(
      hosts.filter((host) => !HARMLESS.includes(host)),
      [],
      name,
    );
    assert.doesNotMatch(text, /requirePlugin|preloadAssets|app_?secret|mchid/i, name);
  }
});
