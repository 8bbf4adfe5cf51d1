import { useQueryClient } from "@tanstack/react-query";
import { type Me, Refused, signIn, signOut, whoAmI } from "@tocsin/react";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";

export interface Session {
  /** Who is signed in; null for nobody, undefined until that is known. */
  me: Me | null | undefined;
  /** Rejects with `Refused` where the address or the password is wrong. */
  enter: (email: string, password: string) => Promise<void>;
  leave: () => Promise<void>;
  /** Ask again who is signed in: after the stream was refused, or the rights have changed. */
  renew: () => Promise<void>;
}

const Context = createContext<Session | null>(null);

const ASK_AGAIN_MS = 2_000;

/** Knows who is signed in, by the cookies that the browser keeps. */
export function SessionProvider({ children }: { children: ReactNode }): ReactNode {
  const [me, setMe] = useState<Me | null>();
  const queries = useQueryClient();

  const renew = useCallback(async () => {
    try {
      setMe(await whoAmI({ auth: "cookie" }));
    } catch (error) {
      if (error instanceof Refused && error.isFinal) setMe(null);
      // No answer says nothing about who is signed in: it is asked again.
      else setTimeout(renew, ASK_AGAIN_MS);
    }
  }, []);
  useEffect(() => {
    void renew();
  }, [renew]);

  const session = useMemo<Session>(
    () => ({
      me,
      renew,
      enter: async (email, password) => setMe(await signIn(undefined, email, password)),
      leave: async () => {
        await signOut();
        // Nothing of what one person has seen stays for the next one on the same screen.
        queries.clear();
        setMe(null);
      },
    }),
    [me, renew, queries],
  );
  return <Context value={session}>{children}</Context>;
}

export function useSession(): Session {
  const session = useContext(Context);
  if (!session) throw new Error("there is no <SessionProvider> above this component");
  return session;
}

/** Who is signed in, for the parts that are shown to nobody else. */
export function useMe(): Me {
  const { me } = useSession();
  if (!me) throw new Error("nobody is signed in");
  return me;
}
