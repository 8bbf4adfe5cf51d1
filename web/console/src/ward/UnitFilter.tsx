import type { ReactNode } from "react";
import { useStrings } from "../strings/index.tsx";
import type { UnitOfBeds } from "./order.ts";
import style from "./WardView.module.css";

/** Which unit's tiles are shown. The alarms beside them are always those of all: what is filtered out still alarms. */
export function UnitFilter({
  units,
  chosen,
  onChoose,
}: {
  units: UnitOfBeds[];
  chosen: string | null;
  onChoose: (unit: string | null) => void;
}): ReactNode {
  const { ward } = useStrings();
  return (
    <fieldset className={style.filter}>
      <legend className="visually-hidden">{ward.unit}</legend>
      <Choice name={ward.everyUnit} isChosen={chosen === null} onChoose={() => onChoose(null)} />
      {units.map(({ unit, patients }) => (
        <Choice
          key={unit ?? ""}
          name={`${unit ?? ward.noUnit} (${patients.length})`}
          isChosen={chosen === (unit ?? "")}
          onChoose={() => onChoose(unit ?? "")}
        />
      ))}
    </fieldset>
  );
}

function Choice({ name, isChosen, onChoose }: { name: string; isChosen: boolean; onChoose: () => void }): ReactNode {
  return (
    <label className={style.choice}>
      <input type="radio" name="unit" className="visually-hidden" checked={isChosen} onChange={onChoose} />
      {name}
    </label>
  );
}
