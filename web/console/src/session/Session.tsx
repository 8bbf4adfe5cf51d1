import { useQueryClient } from "@tanstack/react-query";
import { type Me, Refused, signIn, signOut, whoAmI } from "@tocsin/react";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";
import { refusals } from "./refusals.ts";

/** Why nobody is signed in any more. */
export type Ending = "expired" | "left";

export interface Session {
  /** Who is signed in; null for nobody, undefined until that is known. */
  me: Me | null | undefined;
  /** Why somebody who was signed in no longer is. */
  ending: Ending | undefined;
  /** Whether the server has failed to answer who is signed in, and is asked again. */
  isServerSilent: boolean;
  /** Rejects with `Refused` where the address or the password is wrong. */
  enter: (email: string, password: string) => Promise<void>;
  /** Sign out, in every tab of this browser. Rejects where the server could not be told. */
  leave: () => Promise<void>;
  /** Ask again who is signed in: after the stream was refused, or the rights have changed. */
  renew: () => Promise<void>;
}

const Context = createContext<Session | null>(null);

const ASK_AGAIN_MS = 2_000;

/** The tabs of one browser share their cookies, so that they tell each other when those have changed. */
const CHANNEL = "tocsin.session";

/** Knows who is signed in, by the cookies that the browser keeps. */
export function SessionProvider({ children }: { children: ReactNode }): ReactNode {
  const [me, setMe] = useState<Me | null>();
  const [ending, setEnding] = useState<Ending>();
  const [isServerSilent, setServerSilent] = useState(false);
  const before = useRef<Me | null>(null);
  const others = useRef<BroadcastChannel>(undefined);
  const again = useRef<ReturnType<typeof setTimeout>>(undefined);
  const queries = useQueryClient();

  const become = useCallback(
    (next: Me | null, why?: Ending) => {
      // Nothing of what one person has seen stays for the next one on the same screen.
      if (before.current?.id !== next?.id) queries.clear();
      setEnding(next ? undefined : before.current ? why : undefined);
      before.current = next;
      setServerSilent(false);
      setMe(next);
    },
    [queries],
  );

  const renew = useCallback(async () => {
    clearTimeout(again.current);
    try {
      become(await whoAmI({ auth: "cookie" }));
    } catch (error) {
      if (error instanceof Refused && error.isFinal) return become(null, "expired");
      // No answer says nothing about who is signed in: it is asked again.
      setServerSilent(true);
      again.current = setTimeout(renew, ASK_AGAIN_MS);
    }
  }, [become]);

  useEffect(() => {
    void renew();
    return () => clearTimeout(again.current);
  }, [renew]);
  useEffect(() => refusals(queries, renew), [queries, renew]);
  useEffect(() => {
    const channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = ({ data }) => (data === "left" ? become(null, "left") : void renew());
    others.current = channel;
    return () => channel.close();
  }, [become, renew]);

  const session = useMemo<Session>(
    () => ({
      me,
      ending,
      isServerSilent,
      renew,
      enter: async (email, password) => {
        become(await signIn(undefined, email, password));
        others.current?.postMessage("entered");
      },
      leave: async () => {
        try {
          await signOut();
        } catch (error) {
          // Whoever was not signed in any more is out all the same; everything else has to be told.
          if (!(error instanceof Refused && error.status === 401)) throw error;
        }
        others.current?.postMessage("left");
        become(null, "left");
      },
    }),
    [me, ending, isServerSilent, renew, become],
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
