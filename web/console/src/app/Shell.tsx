import { useAlerts } from "@tocsin/react";
import { type ReactNode, useEffect } from "react";
import { AlarmDialogs } from "../alarms/AlarmDialogs.tsx";
import { AlarmList } from "../alarms/AlarmList.tsx";
import { Announcer } from "../alarms/Announcer.tsx";
import { flashTogether } from "../alarms/flash.ts";
import { SoundProvider } from "../alarms/Sound.tsx";
import { SoundIsOff } from "../alarms/SoundButton.tsx";
import { useStrings } from "../strings/index.tsx";
import { useFreshPatients } from "../ward/patients.ts";
import "../alarms/look.css";
import { usePath } from "./address.ts";
import { Boundary } from "./Boundary.tsx";
import { ConnectionAlarm } from "./ConnectionAlarm.tsx";
import { useConnection } from "./connection.ts";
import { isStale } from "./connection-alarm.ts";
import { PageFailed } from "./Failed.tsx";
import { Header } from "./Header.tsx";
import { Notices } from "./Notices.tsx";
import style from "./Shell.module.css";
import { titleOf } from "./title.ts";
import { Keys } from "./useKeys.tsx";
import { useScroll } from "./useScroll.ts";

/** What is on every page: the header, what is wrong with the console itself, and the alarms beside the page. */
export function Shell({ children }: { children: ReactNode }): ReactNode {
  const { app } = useStrings();
  const [path] = usePath();
  const stale = isStale(useConnection());
  useScroll(path);
  useFreshPatients();
  useEffect(flashTogether, []);
  return (
    <Notices>
      <SoundProvider>
        <AlarmDialogs>
          <Keys>
            <div className={style.shell} data-stale={stale}>
              <button type="button" className={style.skip} onClick={() => document.getElementById("content")?.focus()}>
                {app.skip}
              </button>
              <div className={style.top}>
                <ConnectionAlarm />
                <SoundIsOff />
                <Header />
              </div>
              <div className={style.body} data-page={path === "/" ? "ward" : "other"}>
                <aside className={style.alarms}>
                  <AlarmList />
                </aside>
                <main id="content" tabIndex={-1} className={style.main}>
                  <Boundary key={path} instead={(again) => <PageFailed again={again} />}>
                    {children}
                  </Boundary>
                </main>
              </div>
              {/* What tells of alarms in other ways must not take them down with it. */}
              <Boundary instead={() => null}>
                <Announcer />
                <Title isStale={stale} />
              </Boundary>
            </div>
          </Keys>
        </AlarmDialogs>
      </SoundProvider>
    </Notices>
  );
}

/** The tab shows the foremost alarm, too, or that there is no connection. */
function Title({ isStale }: { isStale: boolean }): ReactNode {
  const strings = useStrings();
  const alerts = useAlerts();
  const title = titleOf([...alerts.values()], isStale, strings);
  useEffect(() => {
    document.title = title;
    return () => {
      document.title = strings.app.name;
    };
  }, [title, strings]);
  return null;
}
