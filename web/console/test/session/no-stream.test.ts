// @vitest-environment happy-dom
import { QueryClientProvider } from "@tanstack/react-query";
import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NoStream } from "../../src/session/NoStream.tsx";
import { makeQueries } from "../../src/session/queries.ts";
import { SessionProvider, useSession } from "../../src/session/Session.tsx";
import { en } from "../../src/strings/en.ts";

const DEVICE = { id: "d", email: "bed-3@ward.example", name: "", roles: ["device"], patientId: null, patientIds: [] };
const theirFetch = globalThis.fetch;
let isThere: boolean;

beforeEach(() => {
  (globalThis as Record<string, unknown>).IS_REACT_ACT_ENVIRONMENT = true;
  isThere = true;
  globalThis.fetch = async (address) => {
    if (!isThere) throw new TypeError("Failed to fetch");
    return String(address).endsWith("/logout") ? new Response(null, { status: 204 }) : Response.json(DEVICE);
  };
});
afterEach(() => {
  globalThis.fetch = theirFetch;
});

function Shown() {
  const { me } = useSession();
  return me ? createElement(NoStream) : "signed out";
}

test("signing out that the server has not heard of says so, and can be tried again", async () => {
  const page = document.createElement("div");
  const root = createRoot(page);
  const provider = createElement(SessionProvider, null, createElement(Shown));
  await act(async () => root.render(createElement(QueryClientProvider, { client: makeQueries() }, provider)));
  const press = () => act(async () => [...page.querySelectorAll("button")].at(-1)?.click());
  expect(page.textContent).toContain(en.session.machineTitle);

  isThere = false;
  await press();
  expect(page.querySelector("[role=alert]")?.textContent).toContain(en.session.noAnswer);

  isThere = true;
  await press();
  expect(page.textContent).toBe("signed out");
  await act(async () => root.unmount());
});
