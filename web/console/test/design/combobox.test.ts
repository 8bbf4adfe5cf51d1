// @vitest-environment happy-dom
import { act, createElement, useState } from "react";
import { createRoot } from "react-dom/client";
import { beforeEach, expect, test } from "vitest";
import { Combobox } from "../../src/design/Combobox.tsx";

const BEDS = ["bed-1", "bed-2", "icu-7"].map((value) => ({ value, text: value.toUpperCase() }));

let chosen: string | undefined;

function Holder() {
  const [value, setValue] = useState<string>();
  chosen = value;
  return createElement(Combobox, {
    label: "Patient",
    value,
    suggestions: BEDS,
    onChoose: setValue,
    none: "nobody",
    clear: "clear",
  });
}

const input = () => document.querySelector("input") as HTMLInputElement;
const options = () => [...document.querySelectorAll("[role=option]")].map((it) => it.textContent);
const current = () => document.getElementById(input().getAttribute("aria-activedescendant") ?? "")?.textContent;
const press = (key: string) =>
  act(() => input().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })));
const type = (text: string) =>
  act(() => {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(input(), text);
    input().dispatchEvent(new Event("input", { bubbles: true }));
  });

beforeEach(() => {
  (globalThis as Record<string, unknown>).IS_REACT_ACT_ENVIRONMENT = true;
  document.body.innerHTML = "<div></div>";
  act(() => createRoot(document.body.firstElementChild as Element).render(createElement(Holder)));
});

test("typing narrows, the arrows lead round, and Enter chooses", () => {
  type("bed");
  expect([options(), current()]).toEqual([["BED-1", "BED-2"], "BED-1"]);
  press("ArrowUp");
  expect(current()).toBe("BED-2");
  press("Enter");
  expect([chosen, input().value, input().getAttribute("aria-expanded")]).toEqual(["bed-2", "BED-2", "false"]);
});

test("an arrow opens the whole list, and Escape closes it without a choice", () => {
  press("ArrowDown");
  expect([input().getAttribute("aria-expanded"), options()]).toEqual(["true", ["BED-1", "BED-2", "ICU-7"]]);
  press("Escape");
  expect([input().getAttribute("aria-expanded"), chosen]).toEqual(["false", undefined]);
});

test("where nothing matches, Enter chooses nothing, and that is said", () => {
  type("x");
  press("Enter");
  expect([chosen, document.querySelector("[role=listbox]")?.textContent]).toEqual([undefined, "nobody"]);
});

test("the button takes the choice back", () => {
  type("icu");
  press("Enter");
  expect(chosen).toBe("icu-7");
  act(() => document.querySelector<HTMLButtonElement>("[aria-label=clear]")?.click());
  expect([chosen, input().value]).toEqual([undefined, ""]);
});
