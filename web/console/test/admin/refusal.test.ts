import { Refused } from "@tocsin/react";
import { expect, test } from "vitest";
import { refusalOf } from "../../src/admin/refusal.ts";
import { en } from "../../src/strings/en.ts";

const TEXTS = { email: "no address", roles: "no such role" };
const CODES = { email_taken: ["email", "taken"], last_admin: [null, "the last one"] } as Record<
  string,
  ["email" | null, string]
>;
const of = (error: unknown) => refusalOf(error, TEXTS, CODES, en);
const refused = (status: number, problem: Refused["problem"]) => new Refused(new Response(null, { status }), problem);

test("no error is no refusal", () => {
  expect(of(null)).toEqual({ fields: {} });
});

test("a code is told at its field, or of the whole form", () => {
  expect(of(refused(409, { code: "email_taken" }))).toEqual({ fields: { email: "taken" } });
  expect(of(refused(409, { code: "last_admin" }))).toEqual({ fields: {}, whole: "the last one" });
});

test("each field that cannot be is told at that field, an item of a list at the list", () => {
  const errors = [
    { field: "email", message: "use an address" },
    { field: "roles[0]", message: "use one of …" },
  ];
  expect(of(refused(422, { code: "validation_error", errors }))).toEqual({ fields: TEXTS });
});

test("a field that the form does not have is told of the whole form, in the server's words", () => {
  const errors = [{ field: "shoeSize", message: "too large" }];
  expect(of(refused(422, { errors }))).toEqual({ fields: {}, whole: en.admin.refused("shoeSize: too large") });
});

test("no answer is not taken for a refusal", () => {
  expect(of(new TypeError("Failed to fetch"))).toEqual({ fields: {}, whole: en.admin.noAnswer });
});
