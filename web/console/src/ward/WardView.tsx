import type { ReactNode } from "react";

export function WardView(): ReactNode {
  return <h1>WardView</h1>;
}
