import { createContext, type ReactNode, useCallback, useContext, useState } from "react";
import { Button } from "../design/Button.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./Notices.module.css";

const Context = createContext<(text: string) => void>(() => {});

/** Says what somebody has to know and is not looking for: it stays until it is dismissed, or the next one comes. */
export function Notices({ children }: { children: ReactNode }): ReactNode {
  const [text, setText] = useState("");
  const { app } = useStrings();
  const tell = useCallback((next: string) => setText(next), []);
  return (
    <Context value={tell}>
      {children}
      <div role="status" className={style.place}>
        {text && (
          <div className={style.notice}>
            <p>{text}</p>
            <Button onClick={() => setText("")}>{app.dismiss}</Button>
          </div>
        )}
      </div>
    </Context>
  );
}

/** Tell something, in one sentence. */
export function useNotice(): (text: string) => void {
  return useContext(Context);
}
