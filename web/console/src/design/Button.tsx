import type { ButtonHTMLAttributes, ReactNode } from "react";
import style from "./Button.module.css";

type Kind = "plain" | "primary" | "danger";

/** A button; at least 44 px high, so that a gloved finger hits it. */
export function Button({
  kind = "plain",
  className,
  ...attributes
}: ButtonHTMLAttributes<HTMLButtonElement> & { kind?: Kind }): ReactNode {
  return <button type="button" {...attributes} className={`${style.button} ${style[kind] ?? ""} ${className ?? ""}`} />;
}
