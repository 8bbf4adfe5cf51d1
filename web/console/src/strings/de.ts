import { admin } from "./de/admin.ts";
import { alarms } from "./de/alarms.ts";
import { app } from "./de/app.ts";
import { history } from "./de/history.ts";
import { patient } from "./de/patient.ts";
import { roles, session } from "./de/session.ts";
import { vitals } from "./de/vitals.ts";
import { ward } from "./de/ward.ts";
import type { Strings } from "./en.ts";

/** Every text of the console, in German. */
export const de: Strings = {
  language: "Deutsch",
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
