import type { components, Role } from "@tocsin/react";
import type { ReactNode } from "react";
import { useFormats } from "../design/useFormats.ts";
import { useStrings } from "../strings/index.tsx";
import style from "./System.module.css";

/** The alarm streams that are open, by transport and role, and how far the move to SSE has come. */
export function Connections({ sse, websocket, sseShare }: components["schemas"]["Connections"]): ReactNode {
  const { admin, roles } = useStrings();
  const texts = admin.system;
  const { number, percent } = useFormats();
  const listening = (Object.keys(roles) as Role[]).filter((role) => sse.byRole[role] || websocket.byRole[role]);
  return (
    <section className={style.panel}>
      <h2>
        {texts.connections} <small>{texts.thisNode}</small>
      </h2>
      <div className={style.migration}>
        <h3 id="migration">{texts.migration}</h3>
        <meter className={style.meter} aria-labelledby="migration" min={0} max={1} value={sseShare ?? 0} />
        <p>{sseShare === null ? texts.noStreams : texts.migrated(percent(sseShare))}</p>
      </div>
      <table className={style.counts}>
        <thead>
          <tr>
            <th scope="col">{texts.role}</th>
            <th scope="col">{texts.sse}</th>
            <th scope="col">{texts.websocket}</th>
          </tr>
        </thead>
        <tbody>
          {listening.map((role) => (
            <tr key={role}>
              <th scope="row">{roles[role]}</th>
              <td>{number(sse.byRole[role] ?? 0)}</td>
              <td>{number(websocket.byRole[role] ?? 0)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{texts.total}</th>
            <td>{number(sse.total)}</td>
            <td>{number(websocket.total)}</td>
          </tr>
        </tfoot>
      </table>
    </section>
  );
}
