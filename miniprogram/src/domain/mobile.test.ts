import { describe, expect, it } from "vitest";
import { cleanCode, cleanPhone, codeProblem, maskPhone, phoneProblem } from "./mobile";

describe("a phone as it is typed and pasted", () => {
  it.each([
    ["13812341234", "13812341234"],
    [" 138 1234 1234 ", "13812341234"],
    ["+86 138-1234-1234", "13812341234"],
    ["+8613812341234", "13812341234"],
    ["0086 138 1234 1234", "13812341234"],
    ["86 138 1234 1234", "13812341234"],
    ["１３８１２３４１２３４", "13812341234"],
    ["＋８６　１３８１２３４１２３４", "13812341234"],
    ["\u202a138\u00a01234\u200b1234\u202c", "13812341234"],
    ["138–1234–1234", "13812341234"],
    ["138.1234.1234", "13812341234"],
    ["", ""],
  ])("%j is %j", (typed, phone) => {
    expect(cleanPhone(typed)).toBe(phone);
  });

  it("isn't robbed of digits that only look like a prefix", () => {
    expect(cleanPhone("86123")).toBe("86123");
    expect(cleanPhone("18613812341")).toBe("18613812341");
  });

  it.each([
    ["", "missing"],
    ["1", "short"],
    ["1381234123", "short"],
    ["138123412345", "long"],
    ["12812341234", "not_mobile"],
    ["02112345678", "not_mobile"],
    ["+85291234567", "not_mobile"],
    ["张三", "not_mobile"],
    ["13812341234", null],
    ["19912341234", null],
  ])("%j: %s", (phone, problem) => {
    expect(phoneProblem(phone)).toBe(problem);
  });

  it("is shown without its middle", () => {
    expect(maskPhone("13812341234")).toBe("138****1234");
    expect(maskPhone("12")).toBe("****");
  });
});

describe("a code as it is typed and pasted", () => {
  it.each([
    ["123456", "123456"],
    [" 123 456 ", "123456"],
    ["１２３４５６", "123456"],
    ["1234567", "123456"],
    ["【冻品小店】验证码 048213，5 分钟内有效", "048213"],
    ["12a", "12"],
    ["", ""],
  ])("%j is %j", (typed, code) => {
    expect(cleanCode(typed)).toBe(code);
  });

  it.each([
    ["", "missing"],
    ["12345", "not_six"],
    ["123456", null],
  ])("%j: %s", (code, problem) => {
    expect(codeProblem(code)).toBe(problem);
  });
});
