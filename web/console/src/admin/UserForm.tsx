import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type Role, useCall } from "@tocsin/react";
import { type FormEvent, type ReactNode, useState } from "react";
import { Banner } from "../design/Banner.tsx";
import { Check } from "../design/Check.tsx";
import { Dialog } from "../design/Dialog.tsx";
import { Field } from "../design/Field.tsx";
import { useToast } from "../design/Toast.tsx";
import { useMe, useSession } from "../session/Session.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./Admin.module.css";
import { FormEnd } from "./FormEnd.tsx";
import { refusalOf } from "./refusal.ts";
import type { User } from "./Users.tsx";

/** Those that an account is given; `hospital` follows from others. */
const GRANTED: Role[] = ["nurse", "doctor", "caregiver", "dispatcher", "first_responder", "patient", "admin", "device"];

/** Making an account, or changing one. */
export function UserForm({ user, onClose }: { user: User | undefined; onClose: () => void }): ReactNode {
  const strings = useStrings();
  const { admin, roles: roleNames } = strings;
  const texts = admin.users;
  const me = useMe();
  const { renew } = useSession();
  const call = useCall();
  const say = useToast();
  const queries = useQueryClient();
  const [email, setEmail] = useState("");
  const [name, setName] = useState(user?.name ?? "");
  const [roles, setRoles] = useState<Role[]>(user?.roles ?? []);
  const [password, setPassword] = useState("");
  const [disabled, setDisabled] = useState(user?.disabled ?? false);

  const save = useMutation({
    mutationFn: () =>
      user
        ? call("patch", "/api/v1/users/{user_id}", {
            path: { user_id: user.id },
            body: { name, roles, disabled, ...(password && { password }) },
          })
        : call("post", "/api/v1/users", {
            body: { email, roles, ...(name && { name }), ...(password && { password }) },
          }),
    onSuccess: async (saved) => {
      say(user ? texts.saved(saved.name) : texts.created(saved.name));
      onClose();
      await queries.invalidateQueries({ queryKey: ["/api/v1/users"] });
      if (saved.id === me.id) await renew();
    },
  });
  const { fields, whole } = refusalOf(
    save.error,
    { email: texts.emailWrong, name: texts.nameWrong, password: texts.passwordWrong, roles: texts.rolesHint },
    { email_taken: ["email", texts.emailTaken], last_admin: [null, texts.lastAdmin] },
    strings,
  );
  const isMine = user?.id === me.id;
  const warnings = [
    isMine && !roles.includes("admin") && texts.ownAdminWarning,
    isMine && disabled && texts.ownDisableWarning,
    isMine && password && !disabled && texts.ownPasswordWarning,
    user && !isMine && disabled && !user.disabled && texts.disableWarning,
  ].filter((it): it is string => typeof it === "string" && it !== "");

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!save.isPending) save.mutate();
  };
  return (
    <Dialog title={user ? texts.edit : texts.new} onClose={onClose}>
      <form onSubmit={submit} className={style.form} noValidate>
        {user ? (
          <p className={style.subject}>{user.email}</p>
        ) : (
          <Field label={texts.email} error={fields.email}>
            {(control) => (
              <input
                {...control}
                type="email"
                autoComplete="off"
                value={email}
                onChange={(event) => setEmail(event.target.value)}
              />
            )}
          </Field>
        )}
        <Field label={texts.name} hint={user ? undefined : texts.nameHint} error={fields.name}>
          {(control) => (
            <input {...control} autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />
          )}
        </Field>
        <fieldset className={style.choices}>
          <legend>{texts.roles}</legend>
          {GRANTED.map((role) => (
            <Check
              key={role}
              label={roleNames[role]}
              isChecked={roles.includes(role)}
              onChange={(isHeld) => setRoles(isHeld ? [...roles, role] : roles.filter((it) => it !== role))}
            />
          ))}
          <p>{fields.roles ?? texts.rolesHint}</p>
        </fieldset>
        <Field
          label={user ? texts.newPassword : texts.password}
          hint={user ? texts.newPasswordHint : texts.passwordHint}
          error={fields.password}
        >
          {(control) => (
            <input
              {...control}
              type="text"
              autoComplete="off"
              spellCheck={false}
              value={password}
              onChange={(event) => setPassword(event.target.value)}
            />
          )}
        </Field>
        {user && <Check label={texts.disable} isChecked={disabled} onChange={setDisabled} />}
        {warnings.map((warning) => (
          <Banner key={warning}>{warning}</Banner>
        ))}
        <FormEnd isNew={!user} isSaving={save.isPending} failure={whole} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
