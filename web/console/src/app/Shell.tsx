import type { ReactNode } from "react";

export function Shell({ children }: { children: ReactNode }): ReactNode {
  return <main>{children}</main>;
}
