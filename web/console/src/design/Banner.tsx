import type { ReactNode } from "react";
import style from "./Banner.module.css";

type Kind = "note" | "good" | "wrong";

const SYMBOL: Record<Kind, string> = { note: "i", good: "✓", wrong: "!" };

/** A message that stays on the page; one that something is wrong is read out at once. */
export function Banner({ kind = "note", children }: { kind?: Kind; children: ReactNode }): ReactNode {
  return (
    <div className={`${style.banner} ${style[kind]}`} role={kind === "wrong" ? "alert" : "status"}>
      <span className={style.symbol} aria-hidden="true">
        {SYMBOL[kind]}
      </span>
      <div>{children}</div>
    </div>
  );
}
