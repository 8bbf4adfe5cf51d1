import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Refused, useCall } from "@tocsin/react";
import type { ReactNode } from "react";
import { Answer } from "../design/Answer.tsx";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { Table } from "../design/Table.tsx";
import { useToast } from "../design/Toast.tsx";
import { useFormats } from "../design/useFormats.ts";
import { useStrings } from "../strings/index.tsx";
import { Facts } from "./Facts.tsx";
import { refusalOf } from "./refusal.ts";
import style from "./System.module.css";

interface Mistake {
  line?: number | null;
  field: string;
  message: string;
}

const PATH = "/api/v1/rules";

/** By which rules this node judges, and having the file read again. */
export function Rules(): ReactNode {
  const strings = useStrings();
  const texts = strings.admin.rules;
  const format = useFormats();
  const call = useCall();
  const say = useToast();
  const queries = useQueryClient();
  const rules = useQuery({ queryKey: [PATH], queryFn: ({ signal }) => call("get", PATH, { signal }) });
  const reload = useMutation({
    mutationFn: () => call("post", `${PATH}/reload`),
    onSuccess: async ({ changed }) => {
      say(changed ? texts.changed : texts.unchanged);
      await queries.invalidateQueries({ queryKey: [PATH] });
    },
  });
  const mistakes = mistakesOf(reload.error);
  const { whole } = refusalOf(reload.error, {}, { rules_refused: [null, texts.refused] }, strings);
  return (
    <Answer query={rules}>
      {({ source, digest, loadedAt, conditions }) => (
        <>
          {whole && <Banner kind="wrong">{whole}</Banner>}
          {mistakes.length > 0 && (
            <Table
              caption={texts.mistakes}
              rows={mistakes}
              keyOf={(it) => `${it.line} ${it.field} ${it.message}`}
              columns={[
                { head: texts.line, kind: "number", cell: (it) => it.line },
                { head: texts.field, cell: (it) => <code>{it.field}</code> },
                { head: texts.advice, cell: (it) => it.message },
              ]}
            />
          )}
          <section className={style.panel}>
            <Facts
              facts={[
                [texts.source, source === "default" ? texts.default : source],
                [texts.loadedAt, format.moment(loadedAt)],
                [texts.digest, <code key="digest">{digest.slice(0, 16)}</code>],
              ]}
            />
            <p className={style.asOf}>{texts.digestHint}</p>
            <h2>{texts.conditions(conditions.length)}</h2>
            <ul className={style.conditions}>
              {conditions.map((name) => (
                <li key={name}>
                  <code>{name}</code>
                </li>
              ))}
            </ul>
            <div>
              <Button aria-disabled={reload.isPending} onClick={() => !reload.isPending && reload.mutate()}>
                {reload.isPending ? texts.reloading : texts.reload}
              </Button>
            </div>
          </section>
        </>
      )}
    </Answer>
  );
}

/** What the server found in the file; it says the line beside the field. */
function mistakesOf(error: unknown): Mistake[] {
  return error instanceof Refused && error.code === "rules_refused" ? ((error.problem.errors ?? []) as Mistake[]) : [];
}
