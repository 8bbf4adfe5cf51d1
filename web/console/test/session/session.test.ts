// @vitest-environment happy-dom
import { QueryClientProvider } from "@tanstack/react-query";
import { act, createElement } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeQueries } from "../../src/session/queries.ts";
import { type Session, SessionProvider, useSession } from "../../src/session/Session.tsx";

const ADA = { id: "ada", email: "ada@ward.example", name: "Ada", roles: ["nurse"], patientId: null, patientIds: [] };
const EVE = { ...ADA, id: "eve", name: "Eve" };

/** Who is signed in by the cookies that all tabs share; nobody where it is null, no server where it is undefined. */
let cookies: typeof ADA | null | undefined;

async function server(address: RequestInfo | URL, options: RequestInit = {}): Promise<Response> {
  const path = String(address);
  if (cookies === undefined) throw new TypeError("Failed to fetch");
  if (path.endsWith("/logout")) cookies = null;
  if (path.endsWith("/login/cookie")) {
    const { password } = JSON.parse(String(options.body));
    if (password !== "right") return Response.json({ code: "bad_credentials" }, { status: 401 });
    cookies = ADA;
  }
  if (path.endsWith("/logout")) return new Response(null, { status: 204 });
  return cookies ? Response.json(cookies) : Response.json({ code: "not_signed_in" }, { status: 401 });
}

class Tab {
  session!: Session;
  readonly queries = makeQueries();
  readonly root: Root = createRoot(document.createElement("div"));

  open(): Promise<void> {
    const Shows = () => {
      this.session = useSession();
      return null;
    };
    const provider = createElement(SessionProvider, null, createElement(Shows));
    return act(async () => this.root.render(createElement(QueryClientProvider, { client: this.queries }, provider)));
  }

  async until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + 5_000;
    while (!condition()) {
      expect(performance.now()).toBeLessThan(deadline);
      await act(() => new Promise((resolve) => setTimeout(resolve, 5)));
    }
  }
}

let tabs: Tab[] = [];
const theirFetch = globalThis.fetch;

async function tab(): Promise<Tab> {
  const opened = new Tab();
  tabs.push(opened);
  await opened.open();
  return opened;
}

beforeEach(() => {
  (globalThis as Record<string, unknown>).IS_REACT_ACT_ENVIRONMENT = true;
  globalThis.fetch = server;
});

afterEach(() => {
  for (const { root } of tabs) act(() => root.unmount());
  tabs = [];
  globalThis.fetch = theirFetch;
});

test("whoever has the cookies is in, and nobody else, without a word of an ended session", async () => {
  cookies = ADA;
  const one = await tab();
  await one.until(() => one.session.me?.id === "ada");
  cookies = null;
  const other = await tab();
  await other.until(() => other.session.me === null);
  expect(other.session.ending).toBeUndefined();
});

test("a wrong password is told, and lets nobody in", async () => {
  cookies = null;
  const one = await tab();
  await one.until(() => one.session.me === null);
  await act(() => expect(one.session.enter("ada@ward.example", "wrong")).rejects.toMatchObject({ status: 401 }));
  expect(one.session.me).toBeNull();
});

test("tabs go in and out together, and keep nothing of whoever has left", async () => {
  cookies = null;
  const [one, other] = [await tab(), await tab()];
  await other.until(() => other.session.me === null);
  await act(() => one.session.enter("ada@ward.example", "right"));
  await other.until(() => other.session.me?.id === "ada");
  other.queries.setQueryData(["seen"], "a diagnosis");
  await act(() => one.session.leave());
  await other.until(() => other.session.me === null);
  expect([one.session.ending, other.session.ending]).toEqual(["left", "left"]);
  expect(other.queries.getQueryData(["seen"])).toBeUndefined();
});

test("a query that is refused for good ends the session, and that is told", async () => {
  cookies = ADA;
  const one = await tab();
  await one.until(() => one.session.me?.id === "ada");
  cookies = null;
  const { Refused } = await import("@tocsin/react");
  const refused = new Refused(new Response(null, { status: 401 }), { code: "session_ended" });
  await one.queries.fetchQuery({ queryKey: ["x"], queryFn: () => Promise.reject(refused) }).catch(() => {});
  await one.until(() => one.session.me === null);
  expect(one.session.ending).toBe("expired");
});

test("somebody else's sign-in in another tab is followed", async () => {
  cookies = ADA;
  const one = await tab();
  await one.until(() => one.session.me?.id === "ada");
  one.queries.setQueryData(["seen"], "a diagnosis");
  cookies = EVE;
  await act(() => one.session.renew());
  expect([one.session.me?.id, one.queries.getQueryData(["seen"])]).toEqual(["eve", undefined]);
});

test("a server that does not answer says nothing about who is in", async () => {
  cookies = ADA;
  const one = await tab();
  await one.until(() => one.session.me?.id === "ada");
  cookies = undefined;
  await act(() => one.session.renew());
  expect([one.session.me?.id, one.session.isServerSilent]).toEqual(["ada", true]);
});
