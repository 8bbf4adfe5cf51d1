import type { Strings } from "./en.ts";

/** Every text of the console, in German. */
export const de: Strings = {
  language: "Deutsch",
  app: {
    name: "Tocsin",
  },
  session: {},
  alarms: {},
  ward: {},
  vitals: {},
  patient: {},
  history: {},
  admin: {},
};
