/** PURE: how long ago, how long until. */

/** `0:42`, `12:05`, `1:02:05`, and from a day on `2 d 3 h`: the same in every language. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours >= 24) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  const two = (number: number) => String(number).padStart(2, "0");
  const tail = `${two(seconds % 60)}`;
  return hours ? `${hours}:${two(minutes)}:${tail}` : `${minutes}:${tail}`;
}

/** When the next one is told, as of now. */
export type Countdown = { late: boolean; span: string };

/** How long until the alarm escalates; none where nobody else will be told. */
export function countdown(nextEscalationAt: string | null, now: number): Countdown | null {
  if (nextEscalationAt === null) return null;
  const left = Date.parse(nextEscalationAt) - now;
  // Up to the last second it counts down to 0:00, and it is late only from the first whole second on.
  return left > -1000 ? { late: false, span: span(Math.ceil(left / 1000) * 1000) } : { late: true, span: span(-left) };
}
