/** The ward view, in English. */
export const ward = {
  heading: "Ward",
  patients: (count: number) => (count === 1 ? "1 patient" : `${count} patients`),
  unit: "Unit",
  everyUnit: "All units",
  noUnit: "Without a unit",
  loading: "The patients are being loaded …",
  failed: "The patients could not be loaded.",
  tryAgain: "Try again",
  none: "There are no patients whom you may see.",
  noneHint: "You see a patient once an admin has put you on their care team.",
  noneInUnit: "There is nobody on this unit.",
  noAlarms: "No alarms",
  unknownAlarms: "Alarms: --",
};
