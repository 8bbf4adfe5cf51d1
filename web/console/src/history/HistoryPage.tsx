import type { ReactNode } from "react";

export function HistoryPage(): ReactNode {
  return <h1>HistoryPage</h1>;
}
