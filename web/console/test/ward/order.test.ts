import { expect, it } from "vitest";
import { byUnit } from "../../src/ward/order.ts";
import type { Patient } from "../../src/ward/patients.ts";

const bed = (name: string, unit: string | null = null, id = name.toLowerCase()): Patient =>
  ({ id, name, unit, userId: null }) as Patient;

it("counts beds as people do", () => {
  const [all] = byUnit([bed("Bed 10"), bed("Bed 2"), bed("Bed 1")]);
  expect(all?.patients.map(({ name }) => name)).toEqual(["Bed 1", "Bed 2", "Bed 10"]);
});

it("puts those on no unit at the end", () => {
  const units = byUnit([bed("a"), bed("b", "ward-10"), bed("c", "ward-2"), bed("d", "icu")]);
  expect(units.map(({ unit }) => unit)).toEqual(["icu", "ward-2", "ward-10", null]);
});

it("keeps two of one name apart by their ids", () => {
  const [all] = byUnit([bed("Bed", null, "b"), bed("Bed", null, "a")]);
  expect(all?.patients.map(({ id }) => id)).toEqual(["a", "b"]);
});
