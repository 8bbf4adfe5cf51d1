import type { ReactNode } from "react";
import style from "./Tabs.module.css";

export interface Tab {
  href: string;
  text: string;
  isCurrent: boolean;
}

/** Pages beside each other, each with an address of its own. */
export function Tabs({ label, tabs }: { label: string; tabs: Tab[] }): ReactNode {
  return (
    <nav aria-label={label} className={style.tabs}>
      <ul>
        {tabs.map(({ href, text, isCurrent }) => (
          <li key={href}>
            <a href={href} aria-current={isCurrent ? "page" : undefined}>
              {text}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
