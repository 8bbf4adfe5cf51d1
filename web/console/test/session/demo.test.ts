import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DEMO_ACCOUNTS, DEMO_PASSWORD } from "../../src/session/demo.ts";

const ward = readFileSync(new URL("../../../../app/commands/demo/ward.py", import.meta.url), "utf-8");

test("the buttons of the sign-in name accounts that the demo makes, in the roles that it gives them", () => {
  for (const { role, email } of DEMO_ACCOUNTS) expect(ward).toMatch(new RegExp(`"${email}", "[^"]+", "${role}"`));
});

test("the password is that of the demo", () => {
  expect(ward).toContain(`PASSWORD: Final = "${DEMO_PASSWORD}"`);
});
