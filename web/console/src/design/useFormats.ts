import { useMemo } from "react";
import { useLanguage } from "../strings/index.tsx";

/** British English, since a ward's clock has 24 hours. */
const LOCALES = { en: "en-GB", de: "de-DE" };

export interface Formats {
  /** For what formats by itself, such as a chart that chooses how much of a time it has room for. */
  locale: string;
  /** Day and time to the second, as a record needs it. */
  moment: (time: string | number) => string;
  /** The day alone. */
  day: (time: string | number) => string;
  /** Time to the second. */
  time: (time: string | number) => string;
  number: (value: number) => string;
  /** A share of one. */
  percent: (share: number) => string;
}

/** Times and numbers as people who read this language write them. */
export function useFormats(): Formats {
  const { language } = useLanguage();
  return useMemo(() => {
    const locale = LOCALES[language];
    const moment = new Intl.DateTimeFormat(locale, { dateStyle: "short", timeStyle: "medium" });
    const day = new Intl.DateTimeFormat(locale, { dateStyle: "short" });
    const time = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });
    const number = new Intl.NumberFormat(locale);
    const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
    return {
      locale,
      moment: (at) => moment.format(new Date(at)),
      day: (at) => day.format(new Date(at)),
      time: (at) => time.format(new Date(at)),
      number: (value) => number.format(value),
      percent: (share) => percent.format(share),
    };
  }, [language]);
}
