import { describe, expect, it } from "vitest";
import { isText, kindOf, partsOf } from "./kinds";

const of = (media_type: string, name = "a") => kindOf({ name, media_type });

describe("kindOf", () => {
  it("goes by the type", () => {
    expect(of("text/markdown; charset=utf-8")).toBe("markdown");
    expect(of("application/problem+json")).toBe("json");
    expect(of("image/png")).toBe("image");
    expect(of("text/html")).toBe("text");
    expect(of("application/zip")).toBe("archive");
    expect(of("application/vnd.openxmlformats-officedocument.wordprocessingml.document")).toBe("none");
  });

  it("shows no SVG as an image: the API does not send one to be shown", () => {
    expect(of("image/svg+xml", "a.svg")).toBe("text");
  });

  it("goes by the name where the type says little", () => {
    expect(of("application/octet-stream", "x/run.PY")).toBe("text");
    expect(of("text/plain", "notes.md")).toBe("markdown");
    expect(of("application/octet-stream", "data")).toBe("maybe");
  });
});

describe("isText", () => {
  it("tells text from other bytes", () => {
    expect(isText(new TextEncoder().encode("olá\n\tmundo"))).toBe(true);
    expect(isText(new Uint8Array([80, 75, 3, 4]))).toBe(false);
    expect(isText(new Uint8Array([0xff, 0xfe, 65]))).toBe(false);
  });

  it("does not mind a character that is cut", () => {
    expect(isText(new TextEncoder().encode("ç".repeat(10_000)).subarray(1_000, 9_001))).toBe(true);
  });
});

describe("partsOf", () => {
  it("parts a folder from a name", () => {
    expect(partsOf("a/b/c.py")).toEqual(["a/b/", "c.py"]);
    expect(partsOf("c.py")).toEqual(["", "c.py"]);
  });
});
