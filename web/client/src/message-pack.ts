/** PURE: reads MessagePack, as far as vital signs use it: maps, arrays, texts, numbers and bytes. */

const text = new TextDecoder();

/** How the numbers from 0xca on are written: what reads them, and in how many bytes. */
const NUMBERS = [
  ["getFloat32", 4],
  ["getFloat64", 8],
  ["getUint8", 1],
  ["getUint16", 2],
  ["getUint32", 4],
  ["getBigUint64", 8],
  ["getInt8", 1],
  ["getInt16", 2],
  ["getInt32", 4],
  ["getBigInt64", 8],
] as const;

/** The value that the bytes hold. Throws `RangeError` for what is cut off, or of a kind that is not read here. */
export function decode(bytes: ArrayBuffer): unknown {
  const view = new DataView(bytes);
  let at = 0;

  const number = (kind: number) => {
    const [read, size] = NUMBERS[kind] as (typeof NUMBERS)[number];
    at += size;
    return Number(view[read](at - size));
  };
  /** Lengths are written as uint8, uint16 or uint32. */
  const length = (size: number) => number(2 + size);
  const take = (size: number) => {
    at += size;
    return new Uint8Array(bytes, at - size, size);
  };
  const words = (size: number) => text.decode(take(size));
  const array = (size: number) => Array.from({ length: size }, value);
  const map = (size: number) => Object.fromEntries(Array.from({ length: size }, () => [value(), value()]));

  function value(): unknown {
    const first = length(0);
    if (first < 0x80) return first;
    if (first < 0x90) return map(first & 15);
    if (first < 0xa0) return array(first & 15);
    if (first < 0xc0) return words(first & 31);
    if (first >= 0xe0) return first - 0x100;
    if (first >= 0xde) return map(length(first - 0xdd));
    if (first >= 0xdc) return array(length(first - 0xdb));
    if (first >= 0xd9) return words(length(first - 0xd9));
    if (first >= 0xca && first < 0xd4) return number(first - 0xca);
    if (first >= 0xc4 && first < 0xc7) return take(length(first - 0xc4));
    if (first < 0xc4) return [null, undefined, false, true][first - 0xc0];
    throw new RangeError(String(first));
  }

  return value();
}
