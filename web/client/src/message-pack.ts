/** PURE: reads MessagePack, as far as vital signs use it: maps, arrays, texts, numbers and bytes. */

const text = new TextDecoder();

/** The value that the bytes hold. Throws `RangeError` for what is cut off, or of a kind that is not read here. */
export function decode(bytes: Uint8Array): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;

  const number = (size: number, read: (at: number) => number | bigint) => {
    at += size;
    return Number(read.call(view, at - size));
  };
  const length = (kind: number) =>
    kind === 0 ? number(1, view.getUint8) : kind === 1 ? number(2, view.getUint16) : number(4, view.getUint32);
  const take = (size: number) => {
    if (at + size > bytes.length) throw new RangeError("cut off");
    at += size;
    return bytes.subarray(at - size, at);
  };
  const array = (size: number) => Array.from({ length: size }, value);
  const map = (size: number) => {
    const read: Record<string, unknown> = {};
    for (let i = 0; i < size; i++) read[String(value())] = value();
    return read;
  };

  function value(): unknown {
    const first = number(1, view.getUint8);
    if (first < 0x80) return first;
    if (first < 0x90) return map(first & 0x0f);
    if (first < 0xa0) return array(first & 0x0f);
    if (first < 0xc0) return text.decode(take(first & 0x1f));
    if (first >= 0xe0) return first - 0x100;
    switch (first) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return number(4, view.getFloat32);
      case 0xcb:
        return number(8, view.getFloat64);
      case 0xcc:
        return number(1, view.getUint8);
      case 0xcd:
        return number(2, view.getUint16);
      case 0xce:
        return number(4, view.getUint32);
      case 0xcf:
        return number(8, view.getBigUint64);
      case 0xd0:
        return number(1, view.getInt8);
      case 0xd1:
        return number(2, view.getInt16);
      case 0xd2:
        return number(4, view.getInt32);
      case 0xd3:
        return number(8, view.getBigInt64);
    }
    if (first >= 0xc4 && first <= 0xc6) return take(length(first - 0xc4));
    if (first >= 0xd9 && first <= 0xdb) return text.decode(take(length(first - 0xd9)));
    if (first === 0xdc || first === 0xdd) return array(length(first - 0xdb));
    if (first === 0xde || first === 0xdf) return map(length(first - 0xdd));
    throw new RangeError(`0x${first.toString(16)} is not read here`);
  }

  return value();
}
