import { describe, expect, it } from "vitest";
import type { OptOuts } from "@/api/types";
import { choices } from "./choices";

const TOPICS = ["sms", "shipped", "delayed"].map((topic) => ({ topic, label: topic }));

/** A server whose saves end when the test says so. */
class Keeper {
  held: string[] = ["sms"];
  saves: { topics: string[]; done(): Promise<void>; fail(): Promise<void> }[] = [];

  optOuts = (): Promise<OptOuts> => Promise.resolve({ opt_outs: this.held, topics: TOPICS });

  setOptOuts = (topics: string[]): Promise<OptOuts> =>
    new Promise((answer, refuse) => {
      this.saves.push({
        topics,
        done: () => {
          this.held = topics;
          answer({ opt_outs: topics, topics: TOPICS });
          return settled();
        },
        fail: () => {
          refuse(new Error("away"));
          return settled();
        },
      });
    });
}

const settled = async () => {
  for (let i = 0; i < 6; i++) await Promise.resolve();
};

async function loaded() {
  const keeper = new Keeper();
  const shown = choices(keeper);
  await shown.load();
  return { keeper, shown };
}

describe("the choice of messages", () => {
  it("shows a tap at once and saves all of it", async () => {
    const { keeper, shown } = await loaded();
    void shown.toggle("shipped");
    expect(shown.state.optOuts).toEqual(["sms", "shipped"]);
    expect(keeper.saves[0]!.topics).toEqual(["sms", "shipped"]);
    await keeper.saves[0]!.done();
    expect(keeper.saves).toHaveLength(1);
  });

  it("saves one after the other, and the last choice is what is held", async () => {
    const { keeper, shown } = await loaded();
    void shown.toggle("shipped");
    void shown.toggle("delayed");
    void shown.toggle("sms");
    expect(keeper.saves).toHaveLength(1);
    await keeper.saves[0]!.done();
    expect(keeper.saves).toHaveLength(2);
    await keeper.saves[1]!.done();
    expect(keeper.held).toEqual(["shipped", "delayed"]);
    expect(shown.state.optOuts).toEqual(keeper.held);
  });

  it("saves nothing more where it was taken back meanwhile", async () => {
    const { keeper, shown } = await loaded();
    void shown.toggle("shipped");
    void shown.toggle("shipped");
    await keeper.saves[0]!.done();
    await keeper.saves[1]!.done();
    expect(keeper.held).toEqual(["sms"]);
    expect(keeper.saves).toHaveLength(2);
  });

  it("goes back to what the server holds where it can't be saved, and says so", async () => {
    const { keeper, shown } = await loaded();
    void shown.toggle("sms");
    await keeper.saves[0]!.fail();
    expect(shown.state.optOuts).toEqual(["sms"]);
    expect(shown.state.saveProblem).toBeInstanceOf(Error);
    void shown.toggle("sms");
    expect(shown.state.saveProblem).toBeNull();
    expect(keeper.saves).toHaveLength(2);
  });

  it("isn't told to the next buyer", async () => {
    const { keeper, shown } = await loaded();
    void shown.toggle("shipped");
    shown.reset();
    await keeper.saves[0]!.fail();
    expect(shown.state).toMatchObject({ topics: [], optOuts: [], loaded: false, saveProblem: null });
  });
});
