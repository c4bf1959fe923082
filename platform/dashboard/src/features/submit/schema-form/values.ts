import { isObject, plain, resolved, typeOf, type Schema, type Values } from "./schema";

const DEEPEST = 8;

/**
 * What a form begins with: only what has to be sent and is known already. What is optional stays away, so that the default
 * of whoever reads it counts; the form shows that default.
 */
export function initial(schema: Schema, root: Schema = schema, depth = 0): unknown {
  const { schema: inner } = plain(schema, root);
  if (inner.const !== undefined) return inner.const;
  if (inner.default !== undefined) return structuredClone(inner.default);
  if (typeOf(inner) !== "object" || depth > DEEPEST) return undefined;
  const values: Values = {};
  for (const name of inner.required ?? []) {
    const property = inner.properties?.[name];
    const value = property && initial(property, root, depth + 1);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

const isEmpty = (value: unknown) =>
  value === undefined ||
  value === "" ||
  (Array.isArray(value) && value.length === 0) ||
  (isObject(value) && Object.keys(value).length === 0);

/**
 * What is sent of what a form holds: without optional parts that are empty, unless empty says something else than leaving
 * out, as its default is not empty. A required part that may be null and has no value is null.
 */
export function pruned(value: unknown, schema: Schema, root: Schema = schema): unknown {
  const { schema: inner } = plain(schema, root);
  if (Array.isArray(value)) {
    const items = isObject(inner.items) ? (inner.items as Schema) : undefined;
    return items ? value.map((each) => pruned(each, items, root)) : value;
  }
  if (!isObject(value)) return value;
  const shape = inner.anyOf ? variantOf(value, inner, root) : inner;
  const kept: Values = {};
  for (const [name, given] of Object.entries(value)) {
    const property = shape.properties?.[name];
    const each = property ? pruned(given, property, root) : given;
    if (each === undefined) continue;
    const optional = property !== undefined && !shape.required?.includes(name);
    if (optional && isEmpty(each) && isEmptyDefault(property, root)) continue;
    kept[name] = each;
  }
  for (const name of shape.required ?? []) {
    const property = shape.properties?.[name];
    if (kept[name] !== undefined || !property || !(name in (shape.properties ?? {}))) continue;
    const { schema: type, nullable } = plain(property, root);
    if (nullable) kept[name] = null;
    // Somebody who has left a list or an object empty has said that it is empty.
    else if (typeOf(type) === "array" && !type.minItems) kept[name] = [];
    else if (typeOf(type) === "object" && !type.required?.length) kept[name] = {};
  }
  return kept;
}

function isEmptyDefault(property: Schema, root: Schema): boolean {
  const given = resolved(property, root).default;
  return given === null || isEmpty(given);
}

/** Which of the alternatives a value is: by its constants, else by its type and the keys it needs, else the first. */
export function variantIndex(value: unknown, schema: Schema, root: Schema): number {
  const all = (schema.anyOf ?? []).map((each) => plain(each, root).schema);
  const scores = all.map((each) => score(value, each, root));
  return Math.max(0, scores.indexOf(Math.max(...scores)));
}

export function variantOf(value: unknown, schema: Schema, root: Schema): Schema {
  const found = schema.anyOf?.[variantIndex(value, schema, root)];
  return found ? plain(found, root).schema : {};
}

function score(value: unknown, schema: Schema, root: Schema): number {
  if (schema.const !== undefined) return value === schema.const ? 3 : -1;
  if (!isOfType(value, schema)) return -1;
  if (!isObject(value)) return 1;
  let found = 1;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const wanted = plain(property, root).schema.const;
    if (wanted !== undefined && name in value) found += value[name] === wanted ? 10 : -10;
    else if (name in value) found += 1;
    else if (schema.required?.includes(name)) found -= 0.5;
  }
  return found;
}

/** Whether a value is of the type that a plain schema names. */
export function isOfType(value: unknown, schema: Schema): boolean {
  switch (typeOf(schema)) {
    case "string":
      return typeof value === "string";
    case "number":
      return typeof value === "number";
    case "integer":
      return typeof value === "number" && Number.isInteger(value);
    case "boolean":
      return typeof value === "boolean";
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "null":
      return value === null;
    default:
      return true;
  }
}
