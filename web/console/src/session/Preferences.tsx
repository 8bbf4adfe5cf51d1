import { type ReactNode, useState } from "react";
import { Select } from "../design/Select.tsx";
import { LANGUAGES, type Language, useLanguage, useStrings } from "../strings/index.tsx";
import style from "./Preferences.module.css";
import { chooseTheme, keptTheme, THEMES } from "./theme.ts";

/** The language and the look of this screen, kept on it. */
export function Preferences(): ReactNode {
  const { session } = useStrings();
  const { language, choose } = useLanguage();
  const [theme, setTheme] = useState(keptTheme);
  return (
    <div className={style.preferences}>
      <Select
        label={session.language}
        value={language}
        options={(Object.keys(LANGUAGES) as Language[]).map((it) => ({ value: it, text: LANGUAGES[it].language }))}
        onChoose={choose}
      />
      <Select
        label={session.theme}
        value={theme}
        options={THEMES.map((it) => ({ value: it, text: session.themes[it] }))}
        onChoose={(next) => {
          chooseTheme(next);
          setTheme(next);
        }}
      />
    </div>
  );
}
