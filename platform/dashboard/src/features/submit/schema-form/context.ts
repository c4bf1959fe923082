import { createContext, use } from "react";
import type { Errors } from "./errors";
import type { Schema } from "./schema";

/** What every part of one form shares. */
export interface Form {
  root: Schema;
  errors: Errors;
  disabled: boolean;
  /** Somebody has left this part: what is wrong with it is shown from now on. */
  touch(path: string): void;
  /** Somebody has changed this part: what the API said of it counts no more. */
  edit(path: string): void;
}

export const FormContext = createContext<Form | null>(null);

export function useForm(): Form {
  const form = use(FormContext);
  if (!form) throw new Error("outside of SchemaForm");
  return form;
}

/** What each control is told. */
export interface PartProps {
  /** Plain: without references and `null`. */
  schema: Schema;
  name: string;
  label: string;
  path: string;
  value: unknown;
  onChange(value: unknown): void;
  required: boolean;
  nullable: boolean;
}
