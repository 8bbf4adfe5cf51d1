import type { ReactNode } from "react";
import style from "./System.module.css";

/** A name, what it is, and whether that is something to look after. */
export type Fact = [name: string, value: ReactNode, isWrong?: boolean];

/** Names with their values, one below the other. */
export function Facts({ facts }: { facts: Fact[] }): ReactNode {
  return (
    <dl className={style.facts}>
      {facts.map(([name, value, isWrong]) => (
        <div key={name} className={isWrong ? style.wrong : undefined}>
          <dt>{name}</dt>
          <dd>
            {isWrong && <span aria-hidden="true">! </span>}
            {value}
          </dd>
        </div>
      ))}
    </dl>
  );
}
