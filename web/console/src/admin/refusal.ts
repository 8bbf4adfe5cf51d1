/** PURE: what the server had against a form, in the words of the language, at the fields that it is about. */
import { Refused } from "@tocsin/react";
import type { Strings } from "../strings/index.tsx";

export interface Refusal<F extends string> {
  /** What is wrong with each field. */
  fields: Partial<Record<F, string>>;
  /** What is wrong with none of them. */
  whole?: string;
}

/**
 * Sort out an error.
 *
 * `texts` are the texts of fields that cannot be as they are, `codes` which field a code is about, and what to say of
 * it; `null` for the form as a whole.
 */
export function refusalOf<F extends string>(
  error: unknown,
  texts: Record<F, string>,
  codes: Record<string, [NoInfer<F> | null, string]>,
  { admin }: Strings,
): Refusal<F> {
  if (!error) return { fields: {} };
  if (!(error instanceof Refused)) return { fields: {}, whole: admin.noAnswer };
  const known = codes[error.code];
  if (known) {
    const [field, text] = known;
    return field === null ? { fields: {}, whole: text } : { fields: { [field]: text } as Partial<Record<F, string>> };
  }
  const fields: Partial<Record<F, string>> = {};
  for (const { field, message } of error.problem.errors ?? []) {
    // `roles[0]` is about the field `roles`.
    const name = field.split(/[[.]/, 1)[0] as F;
    if (!(name in texts)) return { fields: {}, whole: admin.refused(`${field}: ${message}`) };
    fields[name] = texts[name];
  }
  return Object.keys(fields).length ? { fields } : { fields, whole: admin.refused(error.message) };
}
