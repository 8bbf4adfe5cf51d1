import { QueryClient } from "@tanstack/react-query";
import { Refused } from "@tocsin/react";

const ATTEMPTS = 3;

/** What the pages ask with: a refusal that will stay one is told at once, and anything else tried again. */
export function makeQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: (failures, error) => failures < ATTEMPTS && !(error instanceof Refused && error.isFinal),
        // A ward's screen asks also where the browser believes to be offline: its own network is enough.
        networkMode: "always",
      },
      mutations: { networkMode: "always" },
    },
  });
}
