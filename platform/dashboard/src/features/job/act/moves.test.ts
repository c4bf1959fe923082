import { describe, expect, it } from "vitest";
import type { Job } from "@/api/client";
import { tellingOf } from "../telling";
import { movesOf } from "./moves";
import { isOf } from "./refused";

const of = (job: Partial<Job>) => [...movesOf({ attempts: 1, ...job } as Job)].sort().join(" ");

describe("what may be done", () => {
  it("follows from the state", () => {
    expect(of({ state: "queued", attempts: 0 })).toBe("cancel pause");
    expect(of({ state: "running" })).toBe("cancel fork pause");
    expect(of({ state: "running", pause_requested_at: "2026-01-01" })).toBe("cancel fork resume");
    expect(of({ state: "running", cancel_requested_at: "2026-01-01" })).toBe("fork");
    expect(of({ state: "paused", waiting_for: "request" })).toBe("cancel fork resume");
    expect(of({ state: "paused", waiting_for: "approval" })).toBe("cancel fork");
    expect(of({ state: "stranded" })).toBe("cancel fork pause retry");
    expect(of({ state: "dead" })).toBe("fork retry");
    expect(of({ state: "succeeded" })).toBe("fork");
    expect(of({ state: "cancelled" })).toBe("fork");
  });
});

describe("what an input tells", () => {
  it("is its most telling words", () => {
    expect(tellingOf({ language: "en", topic: " Rain\n water " })).toBe("Rain water");
    expect(tellingOf({ messages: [{ role: "user", content: "Hello?" }] })).toBe("Hello?");
    expect(tellingOf({ n: 1, title: "42" })).toBeNull();
    expect(tellingOf(null)).toBeNull();
    expect(tellingOf("x".repeat(500))).toHaveLength(140);
  });
});

describe("a refused state", () => {
  it("is shown where it is", () => {
    expect(isOf("/values/plan/0", "plan")).toBe(true);
    expect(isOf("body.values.plan", "plan")).toBe(true);
    expect(isOf("/values/plan/0", "0")).toBe(false);
    expect(isOf("/as_node", "as_node")).toBe(false);
  });
});
