import { type FormEvent, type ReactNode, useRef, useState } from "react";
import { Unwatched } from "../app/Unwatched.tsx";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { Field } from "../design/Field.tsx";
import { useStrings } from "../strings/index.tsx";
import { DemoSignIns } from "./DemoSignIns.tsx";
import { failureText } from "./failure.ts";
import { Outside } from "./Outside.tsx";
import { useSession } from "./Session.tsx";
import style from "./SignIn.module.css";

type Missing = "email" | "password" | undefined;

/** Signing in. The address stays as it is meanwhile, so that everybody goes on where they wanted to be. */
export function SignIn(): ReactNode {
  const strings = useStrings();
  const { app, session } = strings;
  const { enter, ending } = useSession();
  const [isShown, setShown] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [missing, setMissing] = useState<Missing>();
  const [failure, setFailure] = useState<unknown>();
  const email = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);

  const attempt = async (address: string, secret: string) => {
    if (isBusy) return;
    setBusy(true);
    setFailure(undefined);
    try {
      await enter(address, secret);
    } catch (error) {
      setFailure(error);
      setBusy(false);
      password.current?.select();
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    // Read from the fields themselves, which a password manager may have filled without a word.
    const address = email.current?.value.trim() ?? "";
    const secret = password.current?.value ?? "";
    const lacking = !address ? "email" : !secret ? "password" : undefined;
    setMissing(lacking);
    if (!lacking) return void attempt(address, secret);
    (lacking === "email" ? email : password).current?.focus();
  };

  return (
    <Outside alarm={ending === "expired" && <Unwatched heading={app.connection.signInEnded} />}>
      <h1>{session.title}</h1>
      {ending && failure === undefined && <Banner>{session[ending === "left" ? "signedOut" : "expired"]}</Banner>}
      {failure !== undefined && <Banner kind="wrong">{failureText(failure, strings)}</Banner>}
      <form className={style.form} onSubmit={submit} noValidate>
        <Field label={session.email} error={missing === "email" ? session.emailMissing : undefined}>
          {(control) => (
            <input
              {...control}
              ref={email}
              type="email"
              name="email"
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              // biome-ignore lint/a11y/noAutofocus: there is nothing else to do on this page.
              autoFocus
            />
          )}
        </Field>
        <Field label={session.password} error={missing === "password" ? session.passwordMissing : undefined}>
          {(control) => (
            <span className={style.secret}>
              <input
                {...control}
                ref={password}
                type={isShown ? "text" : "password"}
                name="password"
                autoComplete="current-password"
                autoCapitalize="none"
                spellCheck={false}
              />
              <Button
                className={style.show}
                aria-label={isShown ? session.hidePassword : session.showPassword}
                aria-pressed={isShown}
                onClick={() => setShown(!isShown)}
              >
                <Eye isOpen={isShown} />
              </Button>
            </span>
          )}
        </Field>
        <Button kind="primary" type="submit" aria-disabled={isBusy}>
          {isBusy ? session.signingIn : session.signIn}
        </Button>
      </form>
      <DemoSignIns onChoose={attempt} />
    </Outside>
  );
}

function Eye({ isOpen }: { isOpen: boolean }): ReactNode {
  return (
    <svg
      viewBox="0 0 24 24"
      width="24"
      height="24"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      aria-hidden="true"
    >
      <path d="M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12Z" />
      <circle cx="12" cy="12" r="3" />
      {isOpen && <path d="M4 4l16 16" />}
    </svg>
  );
}
