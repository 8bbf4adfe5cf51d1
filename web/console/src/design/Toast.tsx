import { createContext, type ReactNode, useCallback, useContext, useState } from "react";
import style from "./Toast.module.css";

type Say = (text: string) => void;

const Context = createContext<Say>(() => {});

const SHOWN_MS = 5_000;

/** Says at the foot of the page that something is done; it goes by itself, so that nothing may depend on it. */
export function ToastProvider({ children }: { children: ReactNode }): ReactNode {
  const [said, setSaid] = useState<{ id: number; text: string }[]>([]);
  const say = useCallback<Say>((text) => {
    const id = performance.now();
    setSaid((before) => [...before, { id, text }]);
    setTimeout(() => setSaid((before) => before.filter((it) => it.id !== id)), SHOWN_MS);
  }, []);
  return (
    <Context value={say}>
      {children}
      <div className={style.toasts} role="status">
        {said.map(({ id, text }) => (
          <p key={id} className={style.toast}>
            <span aria-hidden="true">✓</span> {text}
          </p>
        ))}
      </div>
    </Context>
  );
}

/** Say that something is done. */
export function useToast(): Say {
  return useContext(Context);
}
