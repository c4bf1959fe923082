import { furtherOf, isObject, itemsOf, options, plain, typeOf, type Schema } from "./schema";

/** Which control a part of the form gets. */
export type Kind =
  | "boolean"
  | "choice"
  | "choices"
  | "collection"
  | "collections"
  | "constant"
  | "date"
  | "datetime"
  | "integer"
  | "json"
  | "list"
  | "long"
  | "map"
  | "number"
  | "object"
  | "text"
  | "texts"
  | "upload"
  | "variants";

const LONG = 120;
const LONG_NAMES = /(^|_)(body|code|content|context|description|instructions?|markdown|message|notes?|prompt|question|text)$/i;
const UPLOAD = /(^|_)upload(_?id)?$/i;
const COLLECTION = /(^|_)collection(_?name)?$/i;

/** The name that each entry of a list is taken to have: `upload_ids` holds such as `upload_id`. */
export const singular = (name: string) => name.replace(/s$/, "");

/** The control for a plain schema; `name` is that of the field, which tells uploads and collections from other texts. */
export function kindOf(schema: Schema, name: string, root: Schema): Kind {
  if (schema.const !== undefined) return "constant";
  if (options(schema)) return "choice";
  if (schema.anyOf) return schema.anyOf.length > 0 ? "variants" : "json";
  switch (typeOf(schema)) {
    case "boolean":
    case "integer":
    case "number":
      return typeOf(schema) as Kind;
    case "string":
      return text(schema, name);
    case "array":
      return array(schema, name, root);
    case "object":
      if (Object.keys(schema.properties ?? {}).length > 0) return "object";
      return furtherOf(schema) ? "map" : "json";
    default:
      return "json";
  }
}

function text(schema: Schema, name: string): Kind {
  if (schema.format === "date-time") return "datetime";
  if (schema.format === "date") return "date";
  if (schema.format === "uuid") return UPLOAD.test(name) ? "upload" : "text";
  if (COLLECTION.test(name)) return "collection";
  if (schema.format || schema.pattern) return "text";
  if (schema.maxLength !== undefined && schema.maxLength <= LONG) return "text";
  return schema.maxLength !== undefined || LONG_NAMES.test(name) ? "long" : "text";
}

function array(schema: Schema, name: string, root: Schema): Kind {
  if (schema.prefixItems || !isObject(schema.items)) return "json";
  const each = plain(itemsOf(schema), root);
  if (each.nullable) return "list";
  switch (kindOf(each.schema, singular(name), root)) {
    case "choice":
      return "choices";
    case "collection":
      return "collections";
    case "text":
      return "texts";
    case "long":
      return each.schema.maxLength !== undefined ? "texts" : "list";
    default:
      return "list";
  }
}
