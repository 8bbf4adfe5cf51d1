import { roles, session } from "./en/session.ts";

/** Every text of the console, in English. Other languages have the same shape, which their type makes sure of. */
export const en = {
  language: "English",
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

export type Strings = typeof en;
