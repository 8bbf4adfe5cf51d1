import { useQuery } from "@tanstack/react-query";
import { useCall } from "@tocsin/react";
import { type ReactNode, useState } from "react";
import { Combobox } from "../design/Combobox.tsx";
import { useSettled } from "../design/useSettled.ts";
import { useStrings } from "../strings/index.tsx";
import type { User } from "./Users.tsx";

const PAUSE_OF_TYPING_MS = 200;
const MOST = 20;

/** Choosing an account by a few letters of its name or address. */
export function UserPicker({
  label,
  value,
  onChoose,
  hint,
  error,
  without = [],
}: {
  label: string;
  value: string | undefined;
  onChoose: (user: User | undefined) => void;
  hint?: string | undefined;
  error?: string | undefined;
  /** The ids of those that are not to be chosen. */
  without?: string[];
}): ReactNode {
  const { admin, roles } = useStrings();
  const call = useCall();
  const [typed, setTyped] = useState("");
  const [chosen, setChosen] = useState<User>();
  const q = useSettled(typed.trim(), PAUSE_OF_TYPING_MS);
  const found = useQuery({
    queryKey: ["/api/v1/users", "found", q],
    queryFn: ({ signal }) => call("get", "/api/v1/users", { query: { q, limit: MOST }, signal }),
    placeholderData: (before) => before,
  });
  // One that comes from an address was never chosen here, and has a name all the same.
  const named = useQuery({
    queryKey: ["/api/v1/users", value, "patients"],
    queryFn: ({ signal }) =>
      call("get", "/api/v1/users/{user_id}/patients", { path: { user_id: value ?? "" }, signal }),
    enabled: value !== undefined && chosen?.id !== value,
  });
  const known = chosen?.id === value ? chosen : named.data?.user;
  const users = (found.data?.users ?? []).filter((user) => !user.disabled && !without.includes(user.id));
  // What is chosen keeps its name, also when something else is searched for.
  const shown = known && !users.some((user) => user.id === known.id) && !typed ? [known, ...users] : users;
  return (
    <Combobox
      label={label}
      hint={hint}
      error={error}
      value={value}
      placeholder={admin.careTeams.search}
      none={found.isPending ? admin.loading : admin.noMatch}
      clear={admin.clear}
      suggestions={shown.map((user) => ({
        value: user.id,
        text: user.name,
        detail: `${user.email} · ${user.roles.map((role) => roles[role]).join(", ") || admin.users.noRoles}`,
      }))}
      onSearch={setTyped}
      onChoose={(id) => {
        const user = shown.find((it) => it.id === id);
        setChosen(user);
        onChoose(user);
      }}
    />
  );
}
