import type { QueryClient } from "@tanstack/react-query";
import { Refused } from "@tocsin/react";

/** Call back when a query or a mutation was refused because nobody is signed in; what it returns ends that. */
export function refusals(queries: QueryClient, onSignedOut: () => void): () => void {
  const look = (told: { type: string; action?: { type: string; error?: unknown } }) => {
    if (told.type !== "updated" || told.action?.type !== "error") return;
    if (told.action.error instanceof Refused && told.action.error.status === 401) onSignedOut();
  };
  const offs = [queries.getQueryCache().subscribe(look), queries.getMutationCache().subscribe(look)];
  return () => {
    for (const off of offs) off();
  };
}
