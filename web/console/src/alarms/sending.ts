import { Refused } from "@tocsin/react";
import { useCallback, useEffect, useRef, useState } from "react";

/** What becomes of something that is sent: nothing yet, under way, late, failed for now, or refused. */
export type Sending =
  | { phase: "idle" | "sending" | "again" | "failed" }
  | { phase: "refused"; code: string; reason: string };

/** From when on a person wonders whether anything happens. */
const LATE_AFTER_MS = 1_200;

/** A server that takes a request and says nothing is waited for no longer than this. */
const PATIENCE_MS = 20_000;

interface Sender {
  sending: Sending;
  send: (ask: (signal: AbortSignal) => Promise<unknown>) => void;
}

/** Sends once at a time, and says how that stands; `onDone` comes after an answer, `onRefused` may take a refusal. */
export function useSending(onDone: () => void, onRefused: (refused: Refused) => boolean): Sender {
  const [sending, setSending] = useState<Sending>({ phase: "idle" });
  const isUnderWay = useRef(false);
  const late = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(late.current), []);

  const send = useCallback<Sender["send"]>(
    (ask) => {
      if (isUnderWay.current) return;
      isUnderWay.current = true;
      setSending({ phase: "sending" });
      late.current = setTimeout(() => setSending({ phase: "again" }), LATE_AFTER_MS);
      ask(AbortSignal.timeout(PATIENCE_MS))
        .then(onDone, (error: unknown) => {
          if (!(error instanceof Refused)) setSending({ phase: "failed" });
          else if (!onRefused(error)) setSending({ phase: "refused", code: error.code, reason: error.message });
        })
        .finally(() => {
          clearTimeout(late.current);
          isUnderWay.current = false;
        });
    },
    [onDone, onRefused],
  );
  return { sending, send };
}
