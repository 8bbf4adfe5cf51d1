import { admin } from "./en/admin.ts";
import { alarms } from "./en/alarms.ts";
import { app } from "./en/app.ts";
import { history } from "./en/history.ts";
import { patient } from "./en/patient.ts";
import { roles, session } from "./en/session.ts";
import { vitals } from "./en/vitals.ts";
import { ward } from "./en/ward.ts";

/** Every text of the console, in English. Other languages have the same shape, which their type makes sure of. */
export const en = {
  language: "English",
  app,
  session,
  roles,
  alarms,
  ward,
  vitals,
  patient,
  history,
  admin,
};

export type Strings = typeof en;
