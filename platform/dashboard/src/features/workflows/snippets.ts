/** A JSON value as Python writes it. */
export function python(value: unknown, indent = ""): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const inner = `${indent}    `;
  const parts = Array.isArray(value)
    ? value.map((each) => python(each, inner))
    : Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${python(each, inner)}`);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const line = `${open}${parts.join(", ")}${close}`;
  return line.length <= 88 && !line.includes("\n") ? line : `${open}\n${parts.map((part) => `${inner}${part},\n`).join("")}${indent}${close}`;
}

/** A text as one word of a shell. */
export const shell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

export interface Call {
  root: string;
  workflow: string;
  input: Record<string, unknown>;
}

export function pythonCall({ root, workflow, input }: Call): string {
  return `import os
from mutirao.client import Client

with Client(${JSON.stringify(root)}, os.environ["MUTIRAO_API_KEY"]) as client:
    job = client.submit(${JSON.stringify(workflow)}, ${python(input, "    ")})
    for event in client.follow(job.id):
        print(event.type, event.step)
    print(client.job(job.id).output)
`;
}

export function curlCall({ root, workflow, input }: Call): string {
  return `curl -H "Authorization: Bearer $MUTIRAO_API_KEY" -H "Content-Type: application/json" \\
  -d ${shell(JSON.stringify({ workflow, input }))} \\
  ${root}/api/v1/jobs
`;
}

export function commandCall({ workflow, input }: Call): string {
  return `mutirao run ${workflow} --input ${shell(JSON.stringify(input))}
`;
}
