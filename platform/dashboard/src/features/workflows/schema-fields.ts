export type Schema = Record<string, unknown>;

/** What a field takes, as words that are still to be said in somebody's language. */
export type Kind =
  | { is: "list"; of: Kind }
  | { is: "one_of"; values: string[] }
  | { is: "any_of"; kinds: Kind[] }
  | { is: "named"; name: string };

export interface SchemaField {
  /** From the outside in: `sections[].title`. */
  path: string;
  depth: number;
  kind: Kind;
  required: boolean;
  /** As JSON; null: there is none. */
  preset: string | null;
  description: string;
  bounds: Bound[];
}

export interface Bound {
  is: (typeof BOUNDS)[number];
  value: string;
}

const DEEPEST = 4;
const MOST = 400;

const record = (value: unknown): Schema | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Schema) : undefined;
const array = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** A schema with its `$ref` followed; what stands beside the reference counts more. */
function followed(schema: Schema, root: Schema): Schema {
  let now = schema;
  for (let turn = 0; typeof now.$ref === "string" && turn < 16; turn += 1) {
    const { $ref, ...own } = now;
    const target = ($ref as string)
      .replace(/^#\/?/, "")
      .split("/")
      .filter(Boolean)
      .reduce<unknown>((at, part) => record(at)?.[part.replaceAll("~1", "/").replaceAll("~0", "~")], root);
    now = { ...record(target), ...own };
  }
  return now;
}

/** The variants of a schema but null. */
function variants(schema: Schema, root: Schema): Schema[] {
  return array(schema.anyOf ?? schema.oneOf)
    .map((each) => followed(record(each) ?? {}, root))
    .filter((each) => each.type !== "null");
}

function kindOf(schema: Schema, root: Schema): Kind {
  if (Array.isArray(schema.enum)) return { is: "one_of", values: schema.enum.map((value) => JSON.stringify(value)) };
  if ("const" in schema) return { is: "one_of", values: [JSON.stringify(schema.const)] };
  const found = variants(schema, root);
  if (found.length === 1) return kindOf(found[0]!, root);
  if (found.length > 1) {
    const kinds = new Map(found.map((each) => kindOf(each, root)).map((kind) => [JSON.stringify(kind), kind]));
    return { is: "any_of", kinds: [...kinds.values()] };
  }
  if (schema.type === "array") return { is: "list", of: kindOf(followed(record(schema.items) ?? {}, root), root) };
  if (Array.isArray(schema.type)) {
    const kinds = schema.type.filter((type) => type !== "null").map((type): Kind => ({ is: "named", name: String(type) }));
    return kinds.length > 1 ? { is: "any_of", kinds } : (kinds[0] ?? { is: "named", name: "any" });
  }
  const format = schema.type === "string" && typeof schema.format === "string" ? schema.format : undefined;
  return { is: "named", name: format ?? (typeof schema.type === "string" ? schema.type : record(schema.properties) ? "object" : "any") };
}

const BOUNDS = [
  "minimum",
  "exclusiveMinimum",
  "maximum",
  "exclusiveMaximum",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "pattern",
] as const;

/** The fields of a schema, those of objects inside of it below their own, required ones first. */
export function fieldsOf(root: Schema): SchemaField[] {
  const fields: SchemaField[] = [];
  const walk = (schema: Schema, path: string, depth: number, above: readonly Schema[]) => {
    const properties = Object.entries(record(schema.properties) ?? {});
    const required = new Set(array(schema.required));
    properties.sort(([a], [b]) => Number(required.has(b)) - Number(required.has(a)));
    for (const [name, value] of properties) {
      if (fields.length >= MOST) return;
      const own = followed(record(value) ?? {}, root);
      const at = path ? `${path}.${name}` : name;
      const single = variants(own, root);
      const whole: Schema = single.length === 1 ? { ...single[0], ...own } : own;
      fields.push({
        path: at,
        depth,
        kind: kindOf(own, root),
        required: required.has(name),
        preset: "default" in own ? JSON.stringify(own.default) : null,
        description: typeof own.description === "string" ? own.description : "",
        bounds: BOUNDS.filter((is) => whole[is] !== undefined).map((is) => ({ is, value: String(whole[is]) })),
      });
      const isList = whole.type === "array";
      const inner = isList ? followed(record(whole.items) ?? {}, root) : whole;
      const target = record(inner.properties);
      // A schema that is inside of itself is shown once.
      if (target && depth + 1 < DEEPEST && !above.includes(target)) walk(inner, isList ? `${at}[]` : at, depth + 1, [...above, target]);
    }
  };
  const outermost = followed(root, root);
  walk(outermost, "", 0, [record(outermost.properties) ?? {}]);
  return fields;
}

/** An input to begin with: what must be given, by its default or example, or something of its type. */
export function sampleOf(root: Schema): Record<string, unknown> {
  const sample = (schema: Schema, depth: number): unknown => {
    const own = followed(schema, root);
    if (own.default !== undefined) return own.default;
    if (array(own.examples).length > 0) return array(own.examples)[0];
    if (array(own.enum).length > 0) return array(own.enum)[0];
    if ("const" in own) return own.const;
    const [first] = variants(own, root);
    if (first) return sample(first, depth);
    if (own.type === "object" || record(own.properties)) return depth < DEEPEST ? object(own, depth + 1) : {};
    if (own.type === "array") return Number(own.minItems ?? 0) > 0 ? [sample(record(own.items) ?? {}, depth + 1)] : [];
    if (own.type === "integer" || own.type === "number") return Math.max(Number(own.minimum ?? 0), 0);
    if (own.type === "boolean") return false;
    return "…";
  };
  const object = (schema: Schema, depth: number) => {
    const required = array(schema.required).map(String);
    const properties = record(schema.properties) ?? {};
    return Object.fromEntries(required.map((name) => [name, sample(record(properties[name]) ?? {}, depth)]));
  };
  return object(followed(root, root), 0);
}
