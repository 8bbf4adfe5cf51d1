import { roles, session } from "./de/session.ts";
import type { Strings } from "./en.ts";

/** Every text of the console, in German. */
export const de: Strings = {
  language: "Deutsch",
  app: {
    name: "Tocsin",
  },
  session,
  roles,
  alarms: {},
  ward: {},
  vitals: {},
  patient: {},
  history: {},
  admin: {},
};
