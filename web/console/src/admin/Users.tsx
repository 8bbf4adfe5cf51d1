import { useInfiniteQuery } from "@tanstack/react-query";
import { type components, useCall } from "@tocsin/react";
import { type ReactNode, useState } from "react";
import { Answer } from "../design/Answer.tsx";
import { Button } from "../design/Button.tsx";
import { Empty } from "../design/Empty.tsx";
import { Field } from "../design/Field.tsx";
import { Table } from "../design/Table.tsx";
import { useFormats } from "../design/useFormats.ts";
import { useSettled } from "../design/useSettled.ts";
import { useMe } from "../session/Session.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./Admin.module.css";
import { UserForm } from "./UserForm.tsx";

export type User = components["schemas"]["User"];

const PAUSE_OF_TYPING_MS = 250;

/** The accounts: found by a few letters, made, and changed. */
export function Users(): ReactNode {
  const { admin, roles } = useStrings();
  const format = useFormats();
  const me = useMe();
  const call = useCall();
  const [typed, setTyped] = useState("");
  const [edited, setEdited] = useState<User | "new">();
  const q = useSettled(typed.trim(), PAUSE_OF_TYPING_MS);
  const users = useInfiniteQuery({
    queryKey: ["/api/v1/users", "pages", q],
    queryFn: ({ pageParam, signal }) =>
      call("get", "/api/v1/users", { query: { q, cursor: pageParam, limit: 50 }, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
    placeholderData: (before) => before,
  });
  return (
    <>
      <div className={style.bar}>
        <Field label={admin.users.search}>
          {(control) => (
            <input {...control} type="search" value={typed} onChange={(event) => setTyped(event.target.value)} />
          )}
        </Field>
        <Button kind="primary" onClick={() => setEdited("new")}>
          {admin.users.new}
        </Button>
      </div>
      <Answer query={users}>
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.users);
          if (rows.length === 0) return <Empty title={admin.users.nobody} />;
          return (
            <Table
              caption={admin.users.caption}
              rows={rows}
              keyOf={(user) => user.id}
              isQuiet={(user) => user.disabled}
              columns={[
                {
                  head: admin.users.name,
                  kind: "title",
                  cell: (user) => (user.id === me.id ? `${user.name} (${admin.users.you})` : user.name),
                },
                { head: admin.users.email, cell: (user) => user.email },
                {
                  head: admin.users.roles,
                  cell: (user) => user.roles.map((role) => roles[role]).join(", ") || admin.users.noRoles,
                },
                {
                  head: admin.users.state,
                  cell: (user) => (user.disabled ? `✕ ${admin.users.disabled}` : `✓ ${admin.users.enabled}`),
                },
                { head: admin.users.since, cell: (user) => format.day(user.createdAt) },
                {
                  head: admin.edit,
                  kind: "action",
                  cell: (user) => (
                    <Button aria-label={admin.editWhich(user.name)} onClick={() => setEdited(user)}>
                      {admin.edit}
                    </Button>
                  ),
                },
              ]}
            />
          );
        }}
      </Answer>
      {users.hasNextPage && (
        <Button onClick={() => users.fetchNextPage()} aria-disabled={users.isFetchingNextPage}>
          {users.isFetchingNextPage ? admin.loading : admin.more}
        </Button>
      )}
      {edited && <UserForm user={edited === "new" ? undefined : edited} onClose={() => setEdited(undefined)} />}
    </>
  );
}
