// @vitest-environment happy-dom
import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
import { beforeAll, expect, test } from "vitest";
import { goTo, usePath, useQueryOfAddress } from "../../src/app/address.ts";

const shown = { path: "", query: "" };

function Shows() {
  shown.path = usePath()[0];
  shown.query = useQueryOfAddress().toString();
  return null;
}

beforeAll(() => {
  (globalThis as Record<string, unknown>).IS_REACT_ACT_ENVIRONMENT = true;
  act(() => createRoot(document.createElement("div")).render(createElement(Shows)));
});

test("without a hash it is the front page", () => {
  expect(shown).toEqual({ path: "/", query: "" });
});

test("the query stands behind the path, and is no part of it", () => {
  act(() => goTo("/history?state=open&patient=bed-1"));
  expect(location.hash).toBe("#/history?state=open&patient=bed-1");
  expect(shown).toEqual({ path: "/history", query: "state=open&patient=bed-1" });
});

test("a path is the same however a link has escaped it, and one that cannot be read stays as it is", () => {
  act(() => goTo("/patients/ward%3Abed-1?show=limits"));
  expect(shown.path).toBe("/patients/ward:bed-1");
  act(() => goTo("/patients/%E0%A4%A"));
  expect(shown.path).toBe("/patients/%E0%A4%A");
});

test("replacing leaves no trace in the history", () => {
  const before = history.length;
  act(() => goTo("/history", { replace: true }));
  expect(history.length).toBe(before);
  expect(shown).toEqual({ path: "/history", query: "" });
});

test("a link that somebody follows is noticed, too", async () => {
  const noticed = new Promise((resolve) => addEventListener("hashchange", resolve, { once: true }));
  await act(async () => {
    location.hash = "#/admin/users?x=1";
    await noticed;
  });
  expect(shown).toEqual({ path: "/admin/users", query: "x=1" });
});
