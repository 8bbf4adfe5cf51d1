import type { ReactNode } from "react";

export function AdminPage({ part }: { part: string | undefined }): ReactNode {
  return <h1>{part}</h1>;
}
