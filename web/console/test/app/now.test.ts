// @vitest-environment happy-dom
import { act, createElement, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useByClock } from "../../src/app/now.ts";

let root: Root;
let rendered: number;
const page = document.createElement("div");

/** Says when a minute is over, and counts how often it is rendered. */
function Minute(): ReactNode {
  rendered++;
  return useByClock(Date.now, (now) => (now >= 60_000 ? "over" : "not yet"));
}

/** The same of a value that is made anew each time. */
function Made(): ReactNode {
  rendered++;
  const { text } = useByClock(
    Date.now,
    (now) => ({ text: now >= 60_000 ? "over" : "not yet" }),
    (one, other) => one.text === other.text,
  );
  return text;
}

beforeEach(() => {
  (globalThis as Record<string, unknown>).IS_REACT_ACT_ENVIRONMENT = true;
  vi.useFakeTimers({ now: 0 });
  rendered = 0;
  root = createRoot(page);
});

afterEach(() => {
  act(() => root.unmount());
  vi.useRealTimers();
});

test.each([Minute, Made])("a tick renders nobody for whom nothing has changed: %o", (Part) => {
  act(() => root.render(createElement(Part)));
  const before = rendered;
  act(() => vi.advanceTimersByTime(59_000));
  expect(page.textContent).toBe("not yet");
  expect(rendered).toBe(before);
  act(() => vi.advanceTimersByTime(1_000));
  expect(page.textContent).toBe("over");
  expect(rendered).toBe(before + 1);
});

test("the clock stops with the last who looks at it", () => {
  act(() => root.render(createElement(Minute)));
  expect(vi.getTimerCount()).toBe(1);
  act(() => root.render(null));
  expect(vi.getTimerCount()).toBe(0);
});
