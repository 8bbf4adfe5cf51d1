/** PURE: the order of the beds. */
import type { Patient } from "./patients.ts";

const natural = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** The beds of a unit; `unit` is null for those on none. */
export interface UnitOfBeds {
  unit: string | null;
  patients: Patient[];
}

/** Units by name, with those on none at the end, and in each the beds in their order: bed-2 before bed-10. */
export function byUnit(patients: Iterable<Patient>): UnitOfBeds[] {
  const units = new Map<string | null, Patient[]>();
  for (const patient of patients) {
    const unit = patient.unit ?? null;
    units.set(unit, [...(units.get(unit) ?? []), patient]);
  }
  return [...units]
    .map(([unit, beds]) => ({ unit, patients: beds.sort(inOrder) }))
    .sort((one, other) => {
      if (one.unit === null || other.unit === null) return Number(one.unit === null) - Number(other.unit === null);
      return natural.compare(one.unit, other.unit);
    });
}

function inOrder(one: Patient, other: Patient): number {
  return natural.compare(one.name, other.name) || natural.compare(one.id, other.id);
}
