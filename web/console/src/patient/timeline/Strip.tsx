import { useServerClock } from "@tocsin/react";
import { type ReactNode, useEffect, useState } from "react";
import { useStrings } from "../../strings/index.tsx";
import { asksAgainIn } from "./strip-state.ts";
import style from "./Timeline.module.css";

/** The curves around an alert, on ECG paper. While the alert is young it is asked for once more when it is complete. */
export function Strip({ alertId, raisedAt }: { alertId: string; raisedAt: number }): ReactNode {
  const { timeline } = useStrings().patient;
  const clock = useServerClock();
  const [attempt, setAttempt] = useState(0);
  const [answer, setAnswer] = useState<"loading" | "there" | "none">("loading");
  const [isYoung, setYoung] = useState(() => asksAgainIn(raisedAt, clock()) !== undefined);
  useEffect(() => {
    const wait = asksAgainIn(raisedAt, clock());
    if (wait === undefined) return;
    const timer = setTimeout(() => {
      setYoung(false);
      setAttempt((it) => it + 1);
    }, wait);
    return () => clearTimeout(timer);
  }, [raisedAt, clock]);

  const address = `/api/v1/alerts/${encodeURIComponent(alertId)}/strip?format=svg`;
  return (
    <div className={style.strip} data-testid="strip" data-answer={answer}>
      {answer === "none" && <p className={style.hint}>{isYoung ? timeline.stripComing : timeline.noStrip}</p>}
      {answer === "loading" && <p className={style.hint}>{timeline.stripLoading}</p>}
      {answer === "there" && (
        <p className={style.hint}>
          {isYoung ? `${timeline.stripComing} ` : ""}
          <a href={address} target="_blank" rel="noreferrer">
            {timeline.openStrip}
          </a>
        </p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard, too. */}
      <section className={style.paper} hidden={answer !== "there"} tabIndex={0} aria-label={timeline.strip}>
        <img
          key={attempt}
          src={attempt ? `${address}&again=${attempt}` : address}
          alt={timeline.stripOf}
          onLoad={() => setAnswer("there")}
          onError={() => setAnswer("none")}
        />
      </section>
    </div>
  );
}
