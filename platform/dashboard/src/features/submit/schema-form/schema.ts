/** A JSON Schema, as far as a form can be made of it. */
export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  examples?: unknown[];
  const?: unknown;
  enum?: unknown[];
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: boolean | Schema;
  prefixItems?: Schema[];
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
}

export type Values = Record<string, unknown>;

const DEEPEST_REFERENCE = 20;

/** What somebody is still typing: no JSON, or no number yet. Stands in a form's value, and is never sent. */
export class Unreadable {
  constructor(
    readonly text: string,
    readonly wanted: "json" | "number",
  ) {}
}

export const isObject = (value: unknown): value is Values =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Unreadable);

function pointed(reference: string, root: Schema): Schema | undefined {
  if (!reference.startsWith("#")) return undefined;
  let found: unknown = root;
  for (const part of reference.slice(1).split("/").filter(Boolean)) {
    const name = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    found = isObject(found) ? found[name] : undefined;
  }
  return isObject(found) ? (found as Schema) : undefined;
}

function merged(one: Schema, other: Schema): Schema {
  return {
    ...one,
    ...other,
    ...(one.properties || other.properties ? { properties: { ...one.properties, ...other.properties } } : {}),
    ...(one.required || other.required ? { required: [...new Set([...(one.required ?? []), ...(other.required ?? [])])] } : {}),
  };
}

/** The schema itself: references followed, `allOf` made one. What stands beside a reference counts more. */
export function resolved(schema: Schema, root: Schema): Schema {
  let found = schema;
  for (let depth = 0; depth < DEEPEST_REFERENCE && (found.$ref !== undefined || found.allOf); depth += 1) {
    const { $ref, allOf, ...beside } = found;
    let under: Schema = {};
    if ($ref !== undefined) under = pointed($ref, root) ?? {};
    for (const part of allOf ?? []) under = merged(under, resolved(part, root));
    found = merged(under, beside);
  }
  return found;
}

/** A schema without the `null` that it also allows. */
export interface Plain {
  schema: Schema;
  nullable: boolean;
}

const isNull = (schema: Schema) => schema.type === "null" || schema.const === null;

/** What a value is when it is not null; of one alternative, that one. */
export function plain(given: Schema, root: Schema): Plain {
  const schema = resolved(given, root);
  const { anyOf, oneOf, ...rest } = schema;
  const alternatives = anyOf ?? oneOf;
  if (alternatives) {
    const all = alternatives.map((each) => resolved(each, root));
    const kept = all.filter((each) => !isNull(each));
    const nullable = kept.length < all.length;
    const [only] = kept;
    if (kept.length === 1 && only) {
      const inner = plain({ ...only, ...rest }, root);
      return { schema: inner.schema, nullable: nullable || inner.nullable };
    }
    return { schema: { ...rest, anyOf: kept }, nullable };
  }
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== "null");
    const nullable = types.length < schema.type.length;
    const [only] = types;
    if (types.length === 1 && only) return { schema: { ...schema, type: only }, nullable };
    return { schema: { ...rest, anyOf: types.map((type) => ({ ...rest, title: type, type })) }, nullable };
  }
  if (schema.enum?.includes(null) && schema.enum.length > 1) {
    return { schema: { ...schema, enum: schema.enum.filter((value) => value !== null) }, nullable: true };
  }
  return { schema, nullable: false };
}

/** One of the values that a choice offers. */
export interface Option {
  value: unknown;
  label: string;
}

const label = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
const ALTERNATION = /^\^?\(((?:[\w.-]+\|)*[\w.-]+)\)\$$/;

/** The values that a plain schema allows, where they are few and named: an enum, constants, or a pattern of words. */
export function options(schema: Schema): Option[] | null {
  if (schema.enum) return schema.enum.map((value) => ({ value, label: label(value) }));
  if (schema.anyOf && schema.anyOf.length > 0 && schema.anyOf.every((each) => each.const !== undefined)) {
    return schema.anyOf.map((each) => ({ value: each.const, label: each.title ?? label(each.const) }));
  }
  const words = schema.type === "string" && schema.pattern?.startsWith("^") ? ALTERNATION.exec(schema.pattern)?.[1] : undefined;
  // A dot is any character in a pattern, so that such a word is none.
  if (words && !words.includes(".")) return words.split("|").map((value) => ({ value, label: value }));
  return null;
}

export function typeOf(schema: Schema): string | undefined {
  if (typeof schema.type === "string") return schema.type;
  if (schema.properties || isObject(schema.additionalProperties)) return "object";
  if (schema.items || schema.prefixItems) return "array";
  return undefined;
}

export const itemsOf = (schema: Schema): Schema => (isObject(schema.items) ? (schema.items as Schema) : {});

/** The schema of each further key of an object; null: it has none, or none that is known. */
export function furtherOf(schema: Schema): Schema | null {
  const { additionalProperties: further } = schema;
  return isObject(further) && Object.keys(further).length > 0 ? (further as Schema) : null;
}

/** The name of a class, which is what a schema made of one calls itself. */
const CLASS_NAME = /^(?:[A-Z][a-z0-9]+){2,}$/;

/** `max_evidence` as `Max evidence`; a title that was only made of the name, or of a class, is made anew. */
export function nameOf(schema: Schema, name: string): string {
  const words = name.replaceAll(/[_-]+/g, " ").replaceAll(/([a-z])([A-Z])/g, "$1 $2").trim();
  const said = schema.title;
  if (said && said.toLowerCase() !== words.toLowerCase() && !(words && CLASS_NAME.test(said))) return said;
  return words ? words.charAt(0).toUpperCase() + words.slice(1) : (said ?? "");
}
