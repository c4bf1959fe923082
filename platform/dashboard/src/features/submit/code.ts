// The same submission for a terminal and for Python, as somebody would write it.

export interface Submission {
  workflow: string;
  input: unknown;
  /** All but the workflow and its input, as the API takes it. */
  options: Record<string, unknown>;
}

const body = ({ workflow, input, options }: Submission) => ({ workflow, input, ...options });

/** A text for a POSIX shell: nothing in it means anything to the shell. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

export function asCurl(submission: Submission, api: string): string {
  return [
    `curl -X POST ${api}/jobs`,
    `-H "Authorization: Bearer $MUTIRAO_API_KEY"`,
    `-H "Content-Type: application/json"`,
    `-d ${quoted(JSON.stringify(body(submission), null, 2))}`,
  ].join(" \\\n  ");
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const NARROW = 72;

/** A JSON value as a Python literal. */
export function asPythonValue(value: unknown, indent = 0): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return pythonText(value);
  if (typeof value !== "object") return String(value);
  const parts = isObject(value)
    ? Object.entries(value).map(([name, each]) => `${pythonText(name)}: ${asPythonValue(each, indent + 4)}`)
    : (value as unknown[]).map((each) => asPythonValue(each, indent + 4));
  const [open, close] = isObject(value) ? "{}" : "[]";
  const line = `${open}${parts.join(", ")}${close}`;
  if (line.length + indent <= NARROW && !line.includes("\n")) return line;
  const pad = " ".repeat(indent + 4);
  return `${open}\n${parts.map((part) => `${pad}${part},\n`).join("")}${" ".repeat(indent)}${close}`;
}

// JSON's escapes are Python's, but for surrogates, which JSON.stringify writes only where they stand alone.
const pythonText = (text: string) => JSON.stringify(text).replaceAll("\u007f", "\\x7f");

export function asPython({ workflow, input, options }: Submission, root: string): string {
  const named = Object.entries(options).map(([name, value]) => `        ${name}=${asPythonValue(value, 8)},\n`);
  return `import os

from mutirao.client import Client

with Client(${pythonText(root)}, os.environ["MUTIRAO_API_KEY"]) as client:
    job = client.submit(
        ${pythonText(workflow)},
        ${asPythonValue(input, 8)},
${named.join("")}    )
    job = client.wait(job.id)
    print(job.state, job.output)
`;
}
