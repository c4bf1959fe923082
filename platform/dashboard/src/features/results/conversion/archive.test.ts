import { deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { bytesAsText, readPatches, textAsBytes, undone } from "./patch";
import { Zip } from "./zip";

/** An archive of two files, one of them deflated. */
function archive(): Uint8Array<ArrayBuffer> {
  const files: [string, Buffer, number][] = [
    ["a.txt", Buffer.from("stored"), 0],
    ["dir/ç.py", Buffer.from("print(1)\n".repeat(50)), 8],
  ];
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, data, method] of files) {
    const packed = method ? deflateRawSync(data) : data;
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(Buffer.byteLength(name), 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(data.length, 24);
    entry.writeUInt16LE(Buffer.byteLength(name), 28);
    entry.writeUInt32LE(at, 42);
    parts.push(head, Buffer.from(name), packed);
    directory.push(entry, Buffer.from(name));
    at += 30 + Buffer.byteLength(name) + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(at, 16);
  return new Uint8Array(Buffer.concat([...parts, ...directory, end]));
}

describe("Zip", () => {
  it("reads single files", async () => {
    const zip = new Zip(archive());
    expect(new TextDecoder().decode(await zip.read("a.txt"))).toBe("stored");
    expect(new TextDecoder().decode(await zip.read("dir/ç.py"))).toBe("print(1)\n".repeat(50));
    expect(zip.has("b")).toBe(false);
    await expect(zip.read("b")).rejects.toThrow("no b");
  });

  it("refuses what is no archive", () => {
    expect(() => new Zip(new Uint8Array(100))).toThrow("not a ZIP");
    expect(() => new Zip(new Uint8Array(3))).toThrow("not a ZIP");
  });
});

describe("patches", () => {
  const diff = [
    "--- a/one.py",
    "+++ b/one.py",
    "@@ -2,3 +2,4 @@",
    " two",
    "-three",
    "+three()",
    "+more",
    " four",
    "@@ -7 +7,0 @@",
    "-seven",
    "--- a/a b.py\t",
    "+++ b/a b.py\t",
    "@@ -1 +1 @@",
    "--- old",
    "\\ No newline at end of file",
    "+++ new",
    "",
  ].join("\n");

  it("are undone", () => {
    const patches = readPatches(diff);
    const converted = "one\ntwo\nthree()\nmore\nfour\nfive\nsix\neight\n";
    expect(undone(converted, patches.get("one.py")!)).toBe("one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n");
    expect(patches.get("one.py")).toMatchObject({
      added: 2,
      removed: 2,
      changes: [
        { before: [2, 3], after: [2, 4] },
        { before: [6, 7], after: [7, 7] },
      ],
    });
  });

  it("of lines that look like headers, and without an end of line", () => {
    const patch = readPatches(diff).get("a b.py")!;
    expect(undone("++ new\n", patch)).toBe("-- old");
  });

  it("keep bytes of any encoding", () => {
    const bytes = new Uint8Array(Array.from({ length: 20_000 }, (_, index) => index % 256));
    expect(textAsBytes(bytesAsText(bytes))).toEqual(bytes);
  });
});
