import { ApiError } from "@/api/client";

const REQUEST = "01a21622-5aac-7867-a797-9b0f8915ddd2";

export const unreachable = new ApiError(0, "unreachable", "Failed to fetch", null, []);
export const forbidden = new ApiError(403, "forbidden", "this needs the scope 'approve', which the key 1a2b3c4d does not have", REQUEST, []);
export const refused = new ApiError(422, "input_rejected", "the input does not fit the schema of workflow 'report'", REQUEST, [
  { path: "/topic", message: "a text of at least 3 characters is needed" },
  { path: "/collections/0", message: "there is no collection 'libary'" },
]);
export const broken = new ApiError(500, "internal_error", "something went wrong; the log has it under this request", REQUEST, []);
/** A message with nothing in it where a line could be broken. */
export const endless = new ApiError(422, "invalid_input", `no such file: ${"archive-of-everything-".repeat(30)}.zip`, REQUEST, []);
