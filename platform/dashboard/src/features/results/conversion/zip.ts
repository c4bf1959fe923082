/** Single files out of a ZIP archive, without unpacking the rest. */

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const END_BYTES = 22;
const COMMENT = 0xffff;
const STORED = 0;
const DEFLATED = 8;

interface Entry {
  method: number;
  packed: number;
  size: number;
  /** Where its local header begins. */
  at: number;
}

export class Zip {
  readonly #entries = new Map<string, Entry>();
  readonly #view: DataView;

  /** Throws for what is no ZIP archive of the plain kind (neither ZIP64 nor encrypted). */
  constructor(private readonly bytes: Uint8Array<ArrayBuffer>) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let end = bytes.length - END_BYTES;
    while (end >= 0 && end > bytes.length - END_BYTES - COMMENT && this.#view.getUint32(end, true) !== END) end -= 1;
    if (end < 0 || this.#view.getUint32(end, true) !== END) throw new Error("not a ZIP archive");
    const names = new TextDecoder();
    let at = this.#view.getUint32(end + 16, true);
    for (let left = this.#view.getUint16(end + 10, true); left > 0; left -= 1) {
      if (this.#view.getUint32(at, true) !== ENTRY) throw new Error("a ZIP archive with a broken directory");
      const length = this.#view.getUint16(at + 28, true);
      this.#entries.set(names.decode(bytes.subarray(at + 46, at + 46 + length)), {
        method: this.#view.getUint16(at + 10, true),
        packed: this.#view.getUint32(at + 20, true),
        size: this.#view.getUint32(at + 24, true),
        at: this.#view.getUint32(at + 42, true),
      });
      at += 46 + length + this.#view.getUint16(at + 30, true) + this.#view.getUint16(at + 32, true);
    }
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Names and unpacked sizes, in the order of the archive. */
  list(): [name: string, size: number][] {
    return [...this.#entries].map(([name, entry]) => [name, entry.size]);
  }

  /** The content of a file. Never more than the archive says that it is. */
  async read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const entry = this.#entries.get(name);
    if (!entry) throw new Error(`no ${name} in the archive`);
    const begin = entry.at + 30 + this.#view.getUint16(entry.at + 26, true) + this.#view.getUint16(entry.at + 28, true);
    const packed = this.bytes.subarray(begin, begin + entry.packed);
    if (entry.method === STORED) return packed;
    if (entry.method !== DEFLATED) throw new Error(`${name} is packed in a way that is not known here`);
    const unpacked = new Uint8Array(entry.size);
    let at = 0;
    const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return unpacked;
      if (at + value.length > entry.size) throw new Error(`${name} is larger than its archive says`);
      unpacked.set(value, at);
      at += value.length;
    }
  }
}
