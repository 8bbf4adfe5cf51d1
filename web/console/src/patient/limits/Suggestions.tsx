import { useQuery } from "@tanstack/react-query";
import { type components, useCall } from "@tocsin/react";
import { type ReactNode, useState } from "react";
import { Button } from "../../design/Button.tsx";
import { useStrings } from "../../strings/index.tsx";
import { writtenLimit } from "./draft.ts";
import style from "./Limits.module.css";
import { LimitName } from "./LimitsTable.tsx";
import { inOrder } from "./order.ts";

type SuggestedLimit = components["schemas"]["SuggestedLimit"];

const PATH = "/api/v1/patients/{patientId}/limits/suggestions";
const HOURS = 4;

/** What the patient's own last hours suggest; each is taken into its field by a click, and set by nobody else. */
export function Suggestions({
  patientId,
  onTake,
}: {
  patientId: string;
  onTake: (limit: SuggestedLimit, text: string) => void;
}): ReactNode {
  const { limits: strings } = useStrings().patient;
  const call = useCall();
  const [isOpen, setOpen] = useState(false);
  const { data, isError } = useQuery({
    queryKey: [PATH, patientId],
    queryFn: ({ signal }) => call("get", PATH, { path: { patientId }, query: { hours: HOURS }, signal }),
    enabled: isOpen,
    staleTime: 60_000,
  });
  const suggested =
    data && inOrder(data.suggestions.filter((it) => it.suggested !== null && it.suggested !== it.limit));
  return (
    <details className={style.suggestions} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{strings.suggestions(HOURS)}</summary>
      {isError && <p role="alert">{strings.failed}</p>}
      {isOpen && !data && !isError && <p>{strings.loading}</p>}
      {suggested?.length === 0 && <p>{strings.noSuggestions}</p>}
      <ul className={style.suggested}>
        {suggested?.map((it) => (
          <Suggested key={`${it.condition} ${it.tier}`} suggestion={it} onTake={(text) => onTake(it, text)} />
        ))}
      </ul>
    </details>
  );
}

function Suggested({ suggestion, onTake }: { suggestion: SuggestedLimit; onTake: (text: string) => void }): ReactNode {
  const { limits: strings } = useStrings().patient;
  const point = useStrings().vitals.decimalPoint;
  const { suggested, limit, readings, beyondLimit, beyondSuggested } = suggestion;
  if (suggested === null) return null;
  const text = writtenLimit(suggested, point);
  return (
    <li>
      <div>
        <p>
          <LimitName limit={suggestion} />: <b>{strings.inPlaceOf(text, writtenLimit(limit, point))}</b>
        </p>
        {readings && (
          <p className={style.hint}>
            {strings.readings(
              readings.count,
              writtenLimit(readings.usualLowest, point),
              writtenLimit(readings.usualHighest, point),
              beyondLimit ?? 0,
              beyondSuggested ?? 0,
            )}
          </p>
        )}
      </div>
      <Button onClick={() => onTake(text)}>{strings.take(text)}</Button>
    </li>
  );
}
