/** PURE: why somebody could not sign in, in the words of their language. */
import { Refused } from "@tocsin/react";
import type { Strings } from "../strings/index.tsx";

/** What to say of an error of signing in; whatever is no refusal means that there was no answer. */
export function failureText(error: unknown, { session }: Strings): string {
  if (!(error instanceof Refused)) return session.noAnswer;
  if (error.code === "account_disabled") return session.accountDisabled;
  if (error.code === "origin_not_allowed") return session.originNotAllowed;
  if (error.status === 401) return session.badCredentials;
  if (error.status === 422) return session.badCredentials;
  if (error.status === 429) return session.tooMany(Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
  if ([502, 503, 504].includes(error.status)) return session.unavailable;
  return session.unexpected(error.status);
}
