import type { AlertStreamOptions } from "@tocsin/client";
import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";
import { Store } from "./store.ts";

const Context = createContext<Store | null>(null);

/**
 * Whose alerts and vital signs the hooks below it give, and over which connection.
 *
 * `stream` says it all; give the same object on every render (a constant, or `useMemo`): another one means another
 * connection.
 */
export function TocsinProvider({ stream, children }: { stream: AlertStreamOptions; children: ReactNode }): ReactNode {
  const store = useMemo(() => new Store(stream), [stream]);
  useEffect(() => store.open(), [store]);
  return <Context.Provider value={store}>{children}</Context.Provider>;
}

/** The store of the provider above. Throws where there is none. */
export function useStore(): Store {
  const store = useContext(Context);
  if (!store) throw new Error("there is no <TocsinProvider> above this component");
  return store;
}
