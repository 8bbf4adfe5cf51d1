import { useQuery } from "@tanstack/react-query";
import { useCall } from "@tocsin/react";
import type { ReactNode } from "react";
import { Answer } from "../design/Answer.tsx";
import { Banner } from "../design/Banner.tsx";
import { useFormats } from "../design/useFormats.ts";
import { useStrings } from "../strings/index.tsx";
import { Connections } from "./Connections.tsx";
import { Escalations } from "./Escalations.tsx";
import { Facts } from "./Facts.tsx";
import { OpenAlerts } from "./OpenAlerts.tsx";
import style from "./System.module.css";
import { Uptime } from "./Uptime.tsx";

const EVERY_MS = 5_000;

/** How the installation is doing: asked anew every few seconds, and plainly old when no answer comes. */
export function System(): ReactNode {
  const { admin } = useStrings();
  const texts = admin.system;
  const format = useFormats();
  const call = useCall();
  const system = useQuery({
    queryKey: ["/api/v1/system"],
    queryFn: ({ signal }) => call("get", "/api/v1/system", { signal }),
    refetchInterval: EVERY_MS,
    retry: false,
  });
  const time = format.time(system.dataUpdatedAt);
  return (
    <Answer query={system}>
      {({ checks, connections, devices, escalations, openAlerts, startedAt, version }) => (
        <>
          {system.isError ? (
            <Banner kind="wrong">{texts.stale(time)}</Banner>
          ) : (
            <p className={style.asOf}>{texts.refreshed(time)}</p>
          )}
          <div className={style.panels}>
            <section className={style.panel}>
              <h2>{texts.checks}</h2>
              <ul className={style.checks}>
                {Object.entries(checks).map(([name, result]) => (
                  <li key={name} className={result === "ok" ? style.good : style.wrong}>
                    <span aria-hidden="true">{result === "ok" ? "✓" : "✕"}</span>
                    <b>{texts.check[name] ?? name}</b>
                    <span>{result === "ok" ? texts.ok : result}</span>
                  </li>
                ))}
              </ul>
            </section>
            <OpenAlerts {...openAlerts} />
            <Escalations {...escalations} />
            <Connections {...connections} />
            <section className={style.panel}>
              <h2>{texts.devices}</h2>
              <Facts
                facts={[
                  [texts.expected, format.number(devices.expected)],
                  [texts.silent, format.number(devices.silent), devices.silent > 0],
                  [texts.sending, format.number(connections.devices)],
                  [texts.viewing, format.number(connections.vitalsViewers)],
                ]}
              />
            </section>
            <section className={style.panel}>
              <h2>{admin.parts.system}</h2>
              <Facts
                facts={[
                  [texts.version, version],
                  [texts.uptime, <Uptime key="uptime" startedAt={startedAt} />],
                  [texts.startedAt, format.moment(startedAt)],
                ]}
              />
            </section>
          </div>
        </>
      )}
    </Answer>
  );
}
