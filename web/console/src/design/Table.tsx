import type { ReactNode } from "react";
import style from "./Table.module.css";
import { useMedia } from "./useMedia.ts";

export interface Column<T> {
  head: string;
  /** What stands in a row; nothing at all is left out of a card. */
  cell: (row: T) => ReactNode;
  /** `title` is what a card is headed by, `action` what can be done; numbers stand to the right. */
  kind?: "title" | "text" | "number" | "action";
}

/** Rows under their columns; on a narrow screen a card for each row. */
export function Table<T>({
  caption,
  columns,
  rows,
  keyOf,
  isQuiet = () => false,
}: {
  /** What the rows are, for those who hear the page. */
  caption: string;
  columns: Column<T>[];
  rows: T[];
  keyOf: (row: T) => string;
  /** Rows that matter less. */
  isQuiet?: (row: T) => boolean;
}): ReactNode {
  const isWide = useMedia("(min-width: 900px)");
  if (!isWide) {
    return (
      <ul className={style.cards} aria-label={caption}>
        {rows.map((row) => (
          <li key={keyOf(row)} className={`${style.card} ${isQuiet(row) ? style.quiet : ""}`}>
            <Card columns={columns} row={row} />
          </li>
        ))}
      </ul>
    );
  }
  return (
    <div className={style.frame}>
      <table className={style.table}>
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ head, kind }) => (
              <th key={head} scope="col" className={style[kind ?? "text"]}>
                {kind === "action" ? <span className="visually-hidden">{head}</span> : head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} className={isQuiet(row) ? style.quiet : undefined}>
              {columns.map(({ head, cell, kind }) => (
                <td key={head} className={style[kind ?? "text"]}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Card<T>({ columns, row }: { columns: Column<T>[]; row: T }): ReactNode {
  const cells = columns.map((column) => ({ ...column, content: column.cell(row) }));
  const facts = cells.filter(({ kind, content }) => kind !== "title" && kind !== "action" && content);
  return (
    <>
      <div className={style.titles}>
        {cells
          .filter(({ kind }) => kind === "title")
          .map(({ head, content }) => (
            <div key={head}>{content}</div>
          ))}
      </div>
      <dl className={style.facts}>
        {facts.map(({ head, content }) => (
          <div key={head}>
            <dt>{head}</dt>
            <dd>{content}</dd>
          </div>
        ))}
      </dl>
      {cells
        .filter(({ kind }) => kind === "action")
        .map(({ head, content }) => (
          <div key={head}>{content}</div>
        ))}
    </>
  );
}
