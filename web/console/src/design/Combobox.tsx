import { type KeyboardEvent, type ReactNode, useId, useState } from "react";
import { Button } from "./Button.tsx";
import style from "./Combobox.module.css";
import { Field } from "./Field.tsx";
import { holding, type Suggestion, step } from "./suggestions.ts";

/**
 * A field that suggests what begins to match while somebody types (WAI-ARIA 1.2, combobox with a listbox).
 *
 * Suggestions are narrowed here; where `onSearch` is given, whoever searches narrows them.
 */
export function Combobox({
  label,
  value,
  suggestions,
  onChoose,
  onSearch,
  placeholder,
  none,
  clear,
  hint,
  error,
}: {
  label: string;
  /** What is chosen; nothing for none. */
  value: string | undefined;
  suggestions: Suggestion[];
  onChoose: (value: string | undefined) => void;
  onSearch?: (text: string) => void;
  placeholder?: string;
  /** Said where nothing matches. */
  none: string;
  /** What the button says that chooses none. */
  clear: string;
  hint?: string | undefined;
  error?: string | undefined;
}): ReactNode {
  const [typed, setTyped] = useState<string>();
  const [at, setAt] = useState(0);
  const id = useId();
  const isOpen = typed !== undefined;
  const chosen = suggestions.find((it) => it.value === value);
  const shown = onSearch ? suggestions : holding(suggestions, typed ?? "");
  const current = shown[at];

  const type = (text: string | undefined) => {
    setTyped(text);
    setAt(0);
    onSearch?.(text ?? "");
  };
  const choose = (next: string | undefined) => {
    type(undefined);
    onChoose(next);
  };
  const press = (event: KeyboardEvent) => {
    const next = step(event.key, at, shown.length);
    if (next !== undefined && (isOpen || event.key.startsWith("Arrow"))) {
      event.preventDefault();
      if (!isOpen) setTyped("");
      setAt(isOpen ? next : 0);
    } else if (event.key === "Enter" && isOpen) {
      event.preventDefault();
      if (current) choose(current.value);
    } else if (event.key === "Escape" && isOpen) {
      // The dialog around it stays open.
      event.preventDefault();
      event.stopPropagation();
      type(undefined);
    }
  };

  return (
    <Field label={label} hint={hint} error={error}>
      {(control) => (
        <div className={style.combobox}>
          <input
            {...control}
            type="text"
            role="combobox"
            autoComplete="off"
            spellCheck={false}
            placeholder={chosen?.text ?? placeholder}
            aria-expanded={isOpen}
            aria-controls={`${id}-list`}
            aria-autocomplete="list"
            aria-activedescendant={isOpen && current ? `${id}-${at}` : undefined}
            value={typed ?? chosen?.text ?? value ?? ""}
            onChange={(event) => type(event.target.value)}
            onClick={() => !isOpen && type("")}
            onBlur={() => type(undefined)}
            onKeyDown={press}
          />
          {value !== undefined && (
            <Button className={style.clear} aria-label={clear} onClick={() => choose(undefined)}>
              ×
            </Button>
          )}
          <div id={`${id}-list`} role="listbox" aria-label={label} className={style.list} hidden={!isOpen}>
            {shown.map((it, index) => (
              <div
                key={it.value}
                id={`${id}-${index}`}
                role="option"
                tabIndex={-1}
                aria-selected={index === at}
                className={style.option}
                ref={index === at ? (element) => element?.scrollIntoView({ block: "nearest" }) : undefined}
                onMouseEnter={() => setAt(index)}
                // The field keeps the focus, so that it does not close before the choice is made.
                onMouseDown={(event) => {
                  event.preventDefault();
                  choose(it.value);
                }}
              >
                <span>{it.text}</span>
                {it.detail && <span className={style.detail}>{it.detail}</span>}
              </div>
            ))}
            {shown.length === 0 && <p className={style.none}>{none}</p>}
          </div>
        </div>
      )}
    </Field>
  );
}
