/** PURE: which lead is shown where none was asked for. */

/** The lead that most monitors show first. */
const USUAL = "II";

/** A lead that was silent for so long makes room for another. */
const SILENT_MS = 3_000;

/** Keeps to one lead as long as it comes, and takes lead II whenever there is one. */
export class LeadChoice {
  #lead: string | null | undefined;
  #heardAt = 0;

  /** Which of these leads to show; -1 for none of them. */
  choose(leads: readonly (string | null)[], now: number): number {
    const isSilent = this.#lead === undefined || now - this.#heardAt > SILENT_MS;
    let index = this.#lead === undefined ? -1 : leads.indexOf(this.#lead);
    if (leads.includes(USUAL)) index = leads.indexOf(USUAL);
    else if (index < 0 && isSilent) index = 0;
    const chosen = leads[index];
    if (chosen === undefined) return -1;
    this.#lead = chosen;
    this.#heardAt = now;
    return index;
  }
}
