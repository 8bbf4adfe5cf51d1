/** PURE: patients as a combobox suggests them. */
import type { Suggestion } from "../design/suggestions.ts";
import type { Patient } from "./patients.ts";

/** By their names, told apart by number and unit. */
export function patientSuggestions(patients: Patient[]): Suggestion[] {
  return patients.map(({ id, name, unit }) => ({
    value: id,
    text: name,
    detail: [id !== name && id, unit].filter(Boolean).join(" · "),
  }));
}
