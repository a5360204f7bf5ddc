/** What is made from something else is what is made from it now; what holds for the files beside the sources. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Trouble } from "@/api/errors";
import { en } from "@/i18n/en";
import { zh } from "@/i18n/zh";

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), "utf-8");

interface Described {
  components: { schemas: Record<string, { enum?: string[] }> };
}

it("the types are those of the API: `npm run api` makes them", () => {
  const made = execFileSync("node", [
    "node_modules/openapi-typescript/bin/cli.js",
    "openapi.json",
    "--root-types=false",
  ]);
  expect(read("src/api/schema.d.ts") === made.toString()).toBe(true);
}, 60_000);

describe("each value of a closed list has words", () => {
  const { schemas } = (JSON.parse(read("openapi.json")) as Described).components;

  it.each([
    ["OrderStatus", zh.common.orderStatus, en.common.orderStatus],
    ["ShipmentStatus", zh.common.shipmentStatus, en.common.shipmentStatus],
    ["AlertKind", zh.order.alerts, en.order.alerts],
    ["EtaBasis", zh.order.basis, en.order.basis],
    ["TemperatureClass", zh.order.temperature, en.order.temperature],
  ])("%s", (name, ...languages) => {
    const values = [...schemas[name]!.enum!].sort();
    expect(languages.map((words) => Object.keys(words).sort())).toEqual([values, values]);
    for (const word of languages.flatMap((words) => Object.values(words) as unknown[])) {
      expect(word === "" || word === undefined).toBe(false);
    }
  });

  it("and each trouble with words is one that there is", () => {
    type Named = Exclude<keyof typeof zh.common.trouble, "other">;
    const real: [Named] extends [Trouble] ? true : false = true;
    expect(real).toBe(true);
  });
});

describe("no registry is named", () => {
  it("in the lock file", () => {
    const foreign: string[] = [];
    JSON.parse(read("package-lock.json"), (key: string, value: unknown) => {
      const address = typeof value === "string" && /^(https?|git|ssh|file):|^git[+@]/.test(value);
      // Where an author takes money, and what he wrote about his package, isn't where it is fetched from.
      if (key === "resolved" || (address && !["url", "funding", "deprecated"].includes(key)))
        foreign.push(key);
      return value;
    });
    expect(foreign).toEqual([]);
  });

  it("in .npmrc, which keeps addresses out of the lock file", () => {
    expect(read(".npmrc").trim().split("\n")).toEqual(["omit-lockfile-registry-resolved=true"]);
  });
});

it("each dependency is named with one version", () => {
  const { dependencies, devDependencies } = JSON.parse(read("package.json")) as Record<
    "dependencies" | "devDependencies",
    Record<string, string>
  >;
  const versions = Object.entries({ ...dependencies, ...devDependencies });
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+[\w.-]*$/.test(version))).toEqual([]);
});
