/** Every text of the console, in English. Other languages have the same shape, which their type makes sure of. */
export const en = {
  language: "English",
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

export type Strings = typeof en;
