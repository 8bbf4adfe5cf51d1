import { type ReactNode, useRef } from "react";
import style from "./Table.module.css";
import { useWidth } from "./useWidth.ts";

export interface Column<T> {
  head: string;
  /** What stands in a row; nothing at all is left out of a card. */
  cell: (row: T) => ReactNode;
  /** `title` is what a card is headed by, `action` what can be done; numbers stand to the right. */
  kind?: "title" | "text" | "number" | "action";
}

export interface TableProps<T> {
  /** What the rows are, for those who hear the page. */
  caption: string;
  columns: Column<T>[];
  rows: T[];
  keyOf: (row: T) => string;
  /** Rows that matter less. */
  isQuiet?: (row: T) => boolean;
}

/** Narrower than this, in CSS pixels, the columns would break their words. */
const LEAST_WIDTH = 760;

/** Rows under their columns; where there is no room for those, a card for each row. */
export function Table<T>(table: TableProps<T>): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const width = useWidth(place);
  return (
    <div ref={place}>
      {width !== undefined && (width < LEAST_WIDTH ? <Cards {...table} /> : <Columns {...table} />)}
    </div>
  );
}

function Columns<T>({ caption, columns, rows, keyOf, isQuiet }: TableProps<T>): ReactNode {
  return (
    <div className={style.frame}>
      <table className={style.table}>
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ head, kind = "text" }) => (
              <th key={head} scope="col" className={style[kind]}>
                {kind === "action" ? <span className="visually-hidden">{head}</span> : head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} className={isQuiet?.(row) ? style.quiet : undefined}>
              {columns.map(({ head, cell, kind = "text" }) => (
                <td key={head} className={style[kind]}>
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

function Cards<T>({ caption, columns, rows, keyOf, isQuiet }: TableProps<T>): ReactNode {
  return (
    <ul className={style.cards} aria-label={caption}>
      {rows.map((row) => (
        <li key={keyOf(row)} className={`${style.card} ${isQuiet?.(row) ? style.quiet : ""}`}>
          <Card columns={columns} row={row} />
        </li>
      ))}
    </ul>
  );
}

function Card<T>({ columns, row }: { columns: Column<T>[]; row: T }): ReactNode {
  const cells = columns.map((column) => ({ kind: "text", ...column, content: column.cell(row) }));
  const [titles, actions] = ["title", "action"].map((wanted) =>
    cells.filter(({ kind }) => kind === wanted).map(({ head, content }) => <div key={head}>{content}</div>),
  );
  const facts = cells.filter(({ kind, content }) => kind !== "title" && kind !== "action" && content);
  return (
    <>
      <div className={style.titles}>{titles}</div>
      <dl className={style.facts}>
        {facts.map(({ head, content }) => (
          <div key={head}>
            <dt>{head}</dt>
            <dd>{content}</dd>
          </div>
        ))}
      </dl>
      {actions}
    </>
  );
}
