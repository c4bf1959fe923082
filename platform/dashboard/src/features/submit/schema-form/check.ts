import { furtherOf, isObject, plain, typeOf, Unreadable, type Schema, type Values } from "./schema";
import { isOfType, variantOf } from "./values";

/** Something that a value does not fit: where, and which rule, in words of the language files. */
export interface Miss {
  path: string;
  code: string;
  params?: Record<string, unknown>;
}

const UUID = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;
const DATE_TIME = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d/;

/** A place in a value, as the API writes it: `/sections/0/title`. The whole is the empty text. */
export const under = (path: string, part: string | number) => `${path}/${part}`;

/** What of `value` does not fit the schema, as far as it can be said here. The API has the last word. */
export function check(value: unknown, schema: Schema, root: Schema = schema, path = ""): Miss[] {
  const { schema: inner, nullable } = plain(schema, root);
  if (value === null && (nullable || typeOf(inner) === "null")) return [];
  if (value === undefined) return [];
  if (value instanceof Unreadable) return [{ path, code: `unreadable_${value.wanted}` }];
  if (inner.anyOf) {
    const ways = inner.anyOf.map((each) => check(value, each, root, path));
    if (ways.some((misses) => misses.length === 0)) return [];
    return check(value, variantOf(value, inner, root), root, path);
  }
  if (inner.const !== undefined) {
    return same(value, inner.const) ? [] : [{ path, code: "const", params: { value: JSON.stringify(inner.const) } }];
  }
  if (!isOfType(value, inner)) return [{ path, code: `type_${typeOf(inner)}` }];
  if (inner.enum && !inner.enum.some((each) => same(each, value))) return [{ path, code: "enum" }];
  if (typeof value === "string") return checkText(value, inner, path);
  if (typeof value === "number") return checkNumber(value, inner, path);
  if (Array.isArray(value)) return checkList(value, inner, root, path);
  if (isObject(value)) return checkObject(value, inner, root, path);
  return [];
}

const same = (one: unknown, other: unknown) => one === other || JSON.stringify(one) === JSON.stringify(other);

function checkText(value: string, schema: Schema, path: string): Miss[] {
  const length = [...value].length;
  if (schema.minLength !== undefined && length < schema.minLength) {
    return [length === 0 ? { path, code: "required" } : { path, code: "min_length", params: { count: schema.minLength } }];
  }
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    return [{ path, code: "max_length", params: { count: schema.maxLength } }];
  }
  if (schema.pattern !== undefined && !fits(value, schema.pattern)) {
    return [{ path, code: "pattern", params: { pattern: schema.pattern } }];
  }
  if (schema.format === "uuid" && !UUID.test(value)) return [{ path, code: "uuid" }];
  if (schema.format === "date-time" && !DATE_TIME.test(value)) return [{ path, code: "date_time" }];
  return [];
}

function fits(value: string, pattern: string): boolean {
  try {
    return new RegExp(pattern, "u").test(value);
  } catch {
    return true; // a pattern of another dialect: the API knows
  }
}

function checkNumber(value: number, schema: Schema, path: string): Miss[] {
  const { minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below, multipleOf } = schema;
  if (minimum !== undefined && value < minimum) return [{ path, code: "minimum", params: { bound: minimum } }];
  if (maximum !== undefined && value > maximum) return [{ path, code: "maximum", params: { bound: maximum } }];
  if (above !== undefined && value <= above) return [{ path, code: "above", params: { bound: above } }];
  if (below !== undefined && value >= below) return [{ path, code: "below", params: { bound: below } }];
  if (multipleOf && Math.abs(value / multipleOf - Math.round(value / multipleOf)) > 1e-9) {
    return [{ path, code: "multiple_of", params: { bound: multipleOf } }];
  }
  return [];
}

function checkList(value: unknown[], schema: Schema, root: Schema, path: string): Miss[] {
  const misses: Miss[] = [];
  const { minItems, maxItems } = schema;
  if (minItems !== undefined && value.length < minItems) {
    misses.push(value.length === 0 ? { path, code: "required" } : { path, code: "min_items", params: { count: minItems } });
  }
  if (maxItems !== undefined && value.length > maxItems) misses.push({ path, code: "max_items", params: { count: maxItems } });
  if (schema.uniqueItems && new Set(value.map((each) => JSON.stringify(each))).size < value.length) {
    misses.push({ path, code: "unique" });
  }
  value.forEach((each, index) => {
    const of = schema.prefixItems?.[index] ?? (isObject(schema.items) ? (schema.items as Schema) : undefined);
    if (each === undefined) misses.push({ path: under(path, index), code: "required" });
    else if (of) misses.push(...check(each, of, root, under(path, index)));
  });
  return misses;
}

function checkObject(value: Values, schema: Schema, root: Schema, path: string): Miss[] {
  const misses: Miss[] = [];
  for (const name of schema.required ?? []) {
    if (value[name] === undefined) misses.push({ path: under(path, name), code: "required" });
  }
  const further = furtherOf(schema);
  for (const [name, each] of Object.entries(value)) {
    const property = schema.properties?.[name];
    if (property) misses.push(...check(each, property, root, under(path, name)));
    else if (schema.additionalProperties === false) misses.push({ path, code: "unknown", params: { name } });
    else if (further) misses.push(...check(each, further, root, under(path, name)));
  }
  return misses;
}
