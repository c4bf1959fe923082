export { check, type Miss } from "./check";
export { placed } from "./errors";
export { SchemaForm, useMisses } from "./form";
export { readJson, useJsonText } from "./json-part";
export { isObject, Unreadable, type Schema } from "./schema";
export { initial, pruned } from "./values";
