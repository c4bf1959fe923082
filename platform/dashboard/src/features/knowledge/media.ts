const KINDS: Record<string, string> = {
  "application/pdf": "PDF",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "DOCX",
  "text/html": "HTML",
  "text/markdown": "Markdown",
  "text/plain": "TXT",
  "text/csv": "CSV",
  "text/tab-separated-values": "TSV",
};
const SOURCES: Record<string, string> = { cobol: "COBOL", csharp: "C#", jcl: "JCL", sql: "SQL", php: "PHP", css: "CSS", json: "JSON", yaml: "YAML", toml: "TOML", ini: "INI", xml: "XML", javascript: "JavaScript", typescript: "TypeScript" };

const essence = (mediaType: string) => mediaType.split(";", 1)[0]!.trim().toLowerCase();
const source = (mediaType: string) => /^text\/x-(.+)$/.exec(essence(mediaType))?.[1];

/** What a file is, as people call it. */
export function kindOf(mediaType: string): string {
  const known = KINDS[essence(mediaType)];
  if (known) return known;
  const name = source(mediaType);
  return name ? (SOURCES[name] ?? name[0]!.toUpperCase() + name.slice(1)) : mediaType;
}

/** Whether each line of it counts: it is shown as it stands, with the lines numbered. */
export function isSource(mediaType: string): boolean {
  return source(mediaType) !== undefined || ["text/csv", "text/tab-separated-values"].includes(essence(mediaType));
}

/** Name of a language, in a language. */
export function languageOf(code: string | null | undefined, locale: string): string {
  if (!code) return "–";
  return new Intl.DisplayNames([locale], { type: "language" }).of(code) ?? code;
}
