import { describe, expect, it } from "vitest";
import { candidates, LONGEST, MOST_CANDIDATES } from "./waybill";

describe("the number in what was scanned or pasted", () => {
  it.each([
    ["SF1234567890123", ["SF1234567890123"]],
    [" SF 1234 5678 90123 ", ["SF1234567890123"]],
    ["sf1234567890123", ["sf1234567890123", "SF1234567890123"]],
    ["ＳＦ１２３４５６７８９０１２３", ["SF1234567890123"]],
    ["78557809796536", ["78557809796536"]],
    ["7855 7809 7965 36", ["78557809796536"]],
    ["7855\u200b7809796536\ufeff", ["78557809796536"]],
    ["运单号：78557809796536", ["78557809796536"]],
    ["顺丰速运 SF1234567890123", ["SF1234567890123"]],
    ["单号 sf1234567890123。", ["sf1234567890123", "SF1234567890123"]],
    ["FD20261123103802022", ["FD20261123103802022"]],
    ["Shop-a.1_b", ["Shop-a.1_b", "SHOP-A.1_B"]],
    ["1", ["1"]],
    ["Abc", ["Abc", "ABC"]],
    ["Your parcel SF1234567890123", ["SF1234567890123"]],
  ])("%j → %j", (text, numbers) => {
    expect(candidates(text)).toEqual(numbers);
  });

  it.each([
    ["https://example.com/track?waybillNo=SF1234567890123&from=label", "SF1234567890123"],
    ["https://example.com/t.html?mailNo=78557809796536&uid=99887766554433", "78557809796536"],
    ["SF1234567890123 78557809796536", "SF1234567890123"],
    ["https://example.com/q/JT0012345678901", "JT0012345678901"],
    ["http://example.com:8080/20261123/78557809796536/index.html", "78557809796536"],
    ["https://example.com/m/#/pages/order/detail?order_no=FD2026-a_1", "FD2026-a_1"],
    ["https%3A%2F%2Fexample.com%2F%3Fnu%3DYT1234567890123", "YT1234567890123"],
    [
      "MMM={'k1':'755','k2':'021','k3':'','k5':'SF7444400031887','k6':'','k7':'abc1234567'}",
      "SF7444400031887",
    ],
    ["JDVA00123456789-1-2-", "JDVA00123456789"],
    ["jdva00123456789-1-2-15", "jdva00123456789"],
    ["您的快递 YT1234567890123 已发出，请致电13812341234", "YT1234567890123"],
    ["【中通】78557809796536 正在派送 电话 13812341234", "78557809796536"],
    ["EA123456789CN 邮政", "EA123456789CN"],
  ])("%j begins with %j", (text, number) => {
    expect(candidates(text)[0]).toBe(number);
  });

  it("keeps an order number's small letters, and asks in capitals only after that", () => {
    expect(candidates("fd2026abc")).toEqual(["fd2026abc", "FD2026ABC"]);
  });

  it("finds the parcel's number of 京东 before the label's text, and never glues two numbers", () => {
    expect(candidates("JDVA00123456789-1-2-")).toEqual(["JDVA00123456789", "JDVA00123456789-1-2-"]);
    expect(candidates("SF1234567890123 78557809796536")).not.toContain("SF123456789012378557809796536");
  });

  it.each(["", "   ", "你好", "https://example.com/", "😀", "-", "'; drop table", "%00%ff"])(
    "%j holds none that could be asked for, or is asked for as it is",
    (text) => {
      for (const one of candidates(text)) expect(one).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]*$/);
    },
  );

  it("never asks more than a few times, and never twice the same, whatever comes", () => {
    const alphabet = "SFsf019-._ /?&=:%'\"{}，。单号\u3000１Ａ";
    let state = 7;
    const roll = (n: number) => (state = (state * 48271) % 2147483647) % n;
    for (let i = 0; i < 3000; i++) {
      const text = Array.from({ length: roll(60) }, () => alphabet[roll(alphabet.length)]).join("");
      const found = candidates(text);
      expect(found.length).toBeLessThanOrEqual(MOST_CANDIDATES);
      expect(new Set(found).size).toBe(found.length);
      for (const one of found) expect(one).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
    }
  });
});

it("a text without end is read as far as the field would take it", () => {
  expect(candidates(`${"a".repeat(LONGEST)} SF1234567890123`)).toEqual([]);
});
