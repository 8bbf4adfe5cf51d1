import { Component, type ReactNode } from "react";

interface Props {
  /** What is shown in place of the part that has failed; `again` tries to show it once more. */
  instead: (again: () => void) => ReactNode;
  children: ReactNode;
}

/** Keeps to one part of the page what fails in it: without one, a single error takes down the page, alarms and all. */
export class Boundary extends Component<Props, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError(): { hasFailed: boolean } {
    return { hasFailed: true };
  }

  readonly #again = () => this.setState({ hasFailed: false });

  override render(): ReactNode {
    return this.state.hasFailed ? this.props.instead(this.#again) : this.props.children;
  }
}
