import { Refused } from "@tocsin/react";
import { expect, test } from "vitest";
import { failureText } from "../../src/session/failure.ts";
import { en } from "../../src/strings/en.ts";

const refused = (status: number, code: string, headers: Record<string, string> = {}) =>
  new Refused(new Response(null, { status, headers }), { code });

test.each([
  [refused(401, "bad_credentials"), en.session.badCredentials],
  [refused(401, "account_disabled"), en.session.accountDisabled],
  [refused(403, "origin_not_allowed"), en.session.originNotAllowed],
  [refused(422, "validation_error"), en.session.badCredentials],
  [refused(429, "too_many_requests", { "Retry-After": "7" }), en.session.tooMany(7)],
  [refused(429, "too_many_requests"), en.session.tooMany(1)],
  [refused(503, "service_unavailable"), en.session.unavailable],
  [refused(500, "internal_error"), en.session.unexpected(500)],
  [new TypeError("Failed to fetch"), en.session.noAnswer],
])("%s is told as what it is", (error, text) => {
  expect(failureText(error, en)).toBe(text);
});
