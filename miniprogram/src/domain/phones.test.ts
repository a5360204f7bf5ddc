import { expect, test } from "vitest";
import { phonesIn, withPhones } from "./phones";

test.each([
  ["派送员吴师傅（电话13900005725）正在派送", ["13900005725"]],
  ["派送员 139 0000 5725，或 139-0000-5725", ["13900005725", "13900005725"]],
  [
    "【谢书平/15200000000】【网点电话18100000000    18100000001  18900000000】",
    ["15200000000", "18100000000", "18100000001", "18900000000"],
  ],
  ["如有问题请电联（4000633333,13700000000）", ["4000633333", "13700000000"]],
  ["客服 400-063-3333 或 800-8208820", ["4000633333", "8008208820"]],
  ["网点电话：021-58001234", ["02158001234"]],
  ["网点(0512)6800123，0755 26001234转8012", ["05126800123", "075526001234,8012"]],
  ["客服电话95338，京东950616，EMS 11183", ["95338", "950616", "11183"]],
  ["圆通 (95554)", ["95554"]],
  ["虚拟号 13800000000-1234，请按提示操作", ["13800000000,1234"]],
  ["虚拟号 13800000000转5678", ["13800000000,5678"]],
  ["+86 13800000000", ["13800000000"]],
  ["008613800000000", ["13800000000"]],
  ["全角１３９００００５７２５", ["13900005725"]],
  ["电话号码：13900005725", ["13900005725"]],
  ["王先生-13900005725", ["13900005725"]],
])("%s", (text, phones) => expect(phonesIn(text)).toEqual(phones));

test.each([
  ["运单 78557809796536 已揽收"],
  ["SF1390000572512 到达"],
  ["单号：13900005725"],
  ["取件码 95123，请凭码取件"],
  ["验证码为 95338"],
  ["138****6574 的快件"],
  ["电话 ***********"],
  ["2026-11-23 10:30:00 到达"],
  ["重量 1395.20 公斤，温度 -18"],
  ["95 号驿站，第 953381234567 柜"],
  ["上海浦东 3 号 88 室"],
  ["电话:XXX"],
  [""],
])("no number in: %s", (text) => expect(phonesIn(text)).toEqual([]));

test("the pieces make up the text again, character by character", () => {
  const texts = [
    "",
    "无",
    "13900005725",
    "（电话１３９００００５７２５）转 1",
    "a13900005725b 021-58001234转1。95338",
    "13900005725-",
    "😀13900005725😀",
  ];
  for (const text of texts)
    expect(
      withPhones(text)
        .map((piece) => piece.text)
        .join(""),
    ).toBe(text);
});

test("an extension that isn't one is left as text", () => {
  expect(withPhones("13900005725-ab")[0]).toEqual({ text: "13900005725", phone: "13900005725" });
  expect(phonesIn("13900005725 2026")).toEqual(["13900005725"]);
});

test("nothing that older iPhones can't read stands in the pages' expressions", async () => {
  const sources = import.meta.glob("./*.ts", { query: "?raw", import: "default", eager: true });
  for (const [name, source] of Object.entries(sources))
    if (!name.endsWith(".test.ts")) expect(String(source), name).not.toMatch(/\(\?<[=!]/);
});

test.each(["1", "(0", "0-", "单号 ", "+86 ", "400 ", "13900005725 "])(
  "%s, over and over, is read at once",
  (part) => {
    const began = performance.now();
    withPhones(part.repeat(20_000 / part.length));
    expect(performance.now() - began).toBeLessThan(5_000);
  },
);
