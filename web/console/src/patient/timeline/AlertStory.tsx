import { useQuery } from "@tanstack/react-query";
import { useCall } from "@tocsin/react";
import type { ReactNode } from "react";
import { messageOf, reasonsOf } from "../../alarms/message.ts";
import { span } from "../../alarms/span.ts";
import { plain } from "../../design/plain.ts";
import { useFormats } from "../../design/useFormats.ts";
import { type Strings, useStrings } from "../../strings/index.tsx";
import { Strip } from "./Strip.tsx";
import { type Step, stepsOf, type Who } from "./story.ts";
import style from "./Timeline.module.css";

const PATH = "/api/v1/alerts/{alert_id}";

/** What one alert is kept as. */
export function storyKey(alertId?: string): string[] {
  return alertId ? [PATH, alertId] : [PATH];
}

/** Everything that has happened to an alert: who was told, who answered and what they said, and the curves. */
export function AlertStory({ alertId, raisedAt }: { alertId: string; raisedAt: number }): ReactNode {
  const strings = useStrings();
  const { timeline } = strings.patient;
  const call = useCall();
  const formats = useFormats();
  const { data, isError } = useQuery({
    queryKey: storyKey(alertId),
    queryFn: ({ signal }) => call("get", PATH, { path: { alert_id: alertId }, signal }),
  });
  return (
    <div className={style.story}>
      {isError && <p role="alert">{timeline.failed}</p>}
      {data && (
        <>
          <p className={style.hint}>{reasonsOf(data, strings)}</p>
          <ol className={style.steps}>
            {stepsOf(data.timeline).map((step, i) => {
              const { text, note } = told(step, strings);
              return (
                // biome-ignore lint/suspicious/noArrayIndexKey: steps are added at the end, and never change.
                <li key={i} data-kind={step.kind}>
                  <time dateTime={step.at} title={formats.moment(step.at)}>
                    {i === 0 ? formats.time(step.at) : `+ ${span(Date.parse(step.at) - raisedAt)}`}
                  </time>
                  <p>
                    {text}
                    {note && <q className={style.note}>{plain(note)}</q>}
                  </p>
                </li>
              );
            })}
          </ol>
        </>
      )}
      <Strip alertId={alertId} raisedAt={raisedAt} />
    </div>
  );
}

function told(step: Step, strings: Strings): { text: string; note?: string | null } {
  const { timeline } = strings.patient;
  const roles = (of: Who["role"][]) => of.map((role) => (role ? strings.roles[role] : "")).join(", ");
  const name = (who: Who) => {
    const role = who.role && strings.roles[who.role];
    return who.name ? `${who.name}${role && role !== who.name ? ` (${role})` : ""}` : (role ?? "");
  };
  switch (step.kind) {
    case "raised":
      return { text: timeline.raised(roles(step.told)) };
    case "updated":
      if (step.isOver) return { text: timeline.over };
      return { text: (step.isWorse ? timeline.worse : timeline.updated)(messageOf(step.event, strings)) };
    case "escalated":
      return { text: timeline.escalated(step.level, roles(step.told)) };
    case "acknowledged":
      return { text: timeline.acknowledged(name(step.by), timeline.statuses[step.status]), note: step.note };
    case "resolved":
      return { text: step.by ? timeline.resolvedBy(name(step.by)) : timeline.resolved, note: step.note };
  }
}
