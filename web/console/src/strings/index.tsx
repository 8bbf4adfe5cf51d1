import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import { de } from "./de.ts";
import { en, type Strings } from "./en.ts";

export type { Strings } from "./en.ts";

/** The languages that there are, by the codes of BCP 47. */
export const LANGUAGES = { en, de };
export type Language = keyof typeof LANGUAGES;

const KEPT_AS = "tocsin.language";

interface Choice {
  language: Language;
  strings: Strings;
  choose: (language: Language) => void;
}

const Context = createContext<Choice>({ language: "en", strings: en, choose: () => {} });

/** The language that was chosen here, else the browser's, else English. */
function preferred(): Language {
  const wanted = [localStorage.getItem(KEPT_AS) ?? "", ...navigator.languages].map((it) => it.slice(0, 2));
  return (wanted.find((it) => it in LANGUAGES) as Language | undefined) ?? "en";
}

export function StringsProvider({ children }: { children: ReactNode }): ReactNode {
  const [language, setLanguage] = useState(preferred);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const choice = useMemo<Choice>(
    () => ({
      language,
      strings: LANGUAGES[language],
      choose: (next) => {
        localStorage.setItem(KEPT_AS, next);
        setLanguage(next);
      },
    }),
    [language],
  );
  return <Context value={choice}>{children}</Context>;
}

/** Every text, in the language of this screen. */
export function useStrings(): Strings {
  return useContext(Context).strings;
}

/** The language of this screen, and changing it. */
export function useLanguage(): Pick<Choice, "language" | "choose"> {
  return useContext(Context);
}
