import { QueryClientProvider } from "@tanstack/react-query";
import { TocsinProvider } from "@tocsin/react";
import { type ReactNode, useMemo } from "react";
import { Route, Router, Switch } from "wouter";
import { AdminPage } from "../admin/AdminPage.tsx";
import { ToastProvider } from "../design/Toast.tsx";
import { HistoryPage } from "../history/HistoryPage.tsx";
import { PatientPage } from "../patient/PatientPage.tsx";
import { Arriving } from "../session/Arriving.tsx";
import { streamOf } from "../session/audience.ts";
import { NoStream } from "../session/NoStream.tsx";
import { makeQueries } from "../session/queries.ts";
import { SessionProvider, useSession } from "../session/Session.tsx";
import { SignIn } from "../session/SignIn.tsx";
import { StreamGuard } from "../session/StreamGuard.tsx";
import { StringsProvider } from "../strings/index.tsx";
import { WardView } from "../ward/WardView.tsx";
import { usePath } from "./address.ts";
import { Boundary } from "./Boundary.tsx";
import { ConsoleFailed } from "./Failed.tsx";
import { Shell } from "./Shell.tsx";

const queries = makeQueries();

/** The whole console: whoever is signed in gets the ward, everybody else the sign-in. */
export function App(): ReactNode {
  return (
    <StringsProvider>
      <Boundary instead={(again) => <ConsoleFailed again={again} />}>
        <QueryClientProvider client={queries}>
          <SessionProvider>
            <Gate />
          </SessionProvider>
        </QueryClientProvider>
      </Boundary>
    </StringsProvider>
  );
}

function Gate(): ReactNode {
  const { me } = useSession();
  const stream = useMemo(() => (me ? streamOf(me) : null), [me]);
  if (me === undefined) return <Arriving />;
  if (me === null) return <SignIn />;
  if (stream === null) return <NoStream />;
  return (
    // Of one person nothing stays for the next: what was open, chosen or half written goes with them.
    <TocsinProvider stream={stream} key={me.id}>
      <StreamGuard />
      <Router hook={usePath}>
        <ToastProvider>
          <Shell>
            <Switch>
              <Route path="/patients/:patientId">{({ patientId }) => <PatientPage patientId={patientId} />}</Route>
              <Route path="/history" component={HistoryPage} />
              <Route path="/admin/:part?">{({ part }) => <AdminPage part={part} />}</Route>
              <Route component={WardView} />
            </Switch>
          </Shell>
        </ToastProvider>
      </Router>
    </TocsinProvider>
  );
}
