import type { Artifact } from "@/api/client";

/** How a file can be shown here. `maybe`: as text, if its bytes turn out to be one. */
export type Kind = "image" | "markdown" | "json" | "text" | "archive" | "pdf" | "maybe" | "none";

const IMAGES = /^image\/(png|jpeg|gif|webp)$/;
const TEXTS = /^text\/|[/+](xml|yaml|x-yaml|toml|javascript|x-sh|sql|x-ndjson)$/;
const MARKDOWN = /\.(md|markdown)$/i;
const TEXT_NAMES = /\.(txt|log|csv|tsv|diff|patch|py|java|cob|cbl|cpy|js|ts|sh|sql|ya?ml|toml|ini|xml|html?|css|jsonl|ndjson)$/i;
const ARCHIVES = /^application\/(zip|x-zip-compressed|java-archive)$/;
const CLOSED = /^(audio|video|font|image)\/|officedocument|^application\/(gzip|x-tar|vnd\.)/;

/** How to show a file, by its type and, where that says little, its name. */
export function kindOf({ name, media_type }: Pick<Artifact, "name" | "media_type">): Kind {
  const type = typeOf(media_type);
  if (IMAGES.test(type)) return "image";
  if (type === "text/markdown" || (type === "text/plain" && MARKDOWN.test(name))) return "markdown";
  if (type === "application/json" || type.endsWith("+json")) return "json";
  if (type === "application/pdf") return "pdf";
  if (ARCHIVES.test(type)) return "archive";
  if (TEXTS.test(type) || type === "image/svg+xml" || TEXT_NAMES.test(name)) return "text";
  return CLOSED.test(type) ? "none" : "maybe";
}

/** A media type without its parameters. */
export function typeOf(mediaType: string): string {
  return (mediaType.split(";", 1)[0] ?? "").trim().toLowerCase();
}

const LOOKED_AT = 8_000;

/** Whether bytes read as text: UTF-8 without control characters. */
export function isText(bytes: Uint8Array): boolean {
  const begin = bytes.subarray(0, LOOKED_AT);
  if (begin.some((byte) => byte < 9 || (byte > 13 && byte < 27))) return false;
  try {
    // Streaming: a character that is cut by the end is no error.
    new TextDecoder("utf-8", { fatal: true }).decode(begin, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** A name as its folder and what is in there. */
export function partsOf(name: string): [folder: string, base: string] {
  const at = name.lastIndexOf("/") + 1;
  return [name.slice(0, at), name.slice(at)];
}
