// @vitest-environment happy-dom
import { act, createElement, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Boundary } from "../../src/app/Boundary.tsx";
import { ConsoleFailed, PartFailed } from "../../src/app/Failed.tsx";
import { en } from "../../src/strings/en.ts";

let isBroken: boolean;
let root: Root;
const page = document.createElement("div");

function Tile(): ReactNode {
  if (isBroken) throw new Error("odd data");
  return "heart rate 72";
}

function show(instead: (again: () => void) => ReactNode): void {
  root = createRoot(page, { onCaughtError: () => {} });
  const boundary = createElement(Boundary, { instead } as never, createElement(Tile));
  act(() =>
    root.render([createElement("p", { key: "alarms" }, "*** SpO₂ 79"), createElement("div", { key: 1 }, boundary)]),
  );
}

beforeEach(() => {
  (globalThis as Record<string, unknown>).IS_REACT_ACT_ENVIRONMENT = true;
  vi.useFakeTimers();
  isBroken = true;
});

afterEach(() => {
  act(() => root.unmount());
  vi.useRealTimers();
});

test("what fails in one part leaves the others alone, and comes back by itself when it can", () => {
  show((again) => createElement(PartFailed, { what: "Bed 3", again }));
  expect(page.textContent).toContain("*** SpO₂ 79");
  expect(page.textContent).toContain(en.app.failed.part("Bed 3"));
  act(() => vi.advanceTimersByTime(10_000));
  expect(page.textContent).toContain(en.app.failed.part("Bed 3"));
  isBroken = false;
  act(() => vi.advanceTimersByTime(10_000));
  expect(page.textContent).toContain("heart rate 72");
});

test("a console that fails is an alarm, in the title of its tab too, until it is back", () => {
  document.title = "Tocsin";
  show((again) => createElement(ConsoleFailed, { again }));
  expect(page.querySelector("[role=alert]")?.textContent).toBe(en.app.failed.console);
  expect(document.title).toBe(`!!! ${en.app.failed.console}`);
  isBroken = false;
  act(() => vi.advanceTimersByTime(10_000));
  expect(page.querySelector("[role=alert]")).toBeNull();
  expect(document.title).toBe("Tocsin");
});
