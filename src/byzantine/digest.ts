declare const brand: unique symbol;

/** A SHA-256 as 64 lower-case hexadecimal digits: a string, so that it compares with `===` and is the key of a map. 32 bytes on the wire. */
export type Digest = string & { readonly [brand]: 'Digest' };

const pattern = /^[0-9a-f]{64}$/;
const digits = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

/** Serves every digest: as many are made as things are read. */
const digestCodes = Array.from({ length: 64 }, () => 0);

/** Lower-case hexadecimal digits. */
export const toHex = (bytes: Uint8Array): string =>
  hexOf(
    bytes,
    0,
    Array.from({ length: 2 * bytes.length }, () => 0),
  );

/** The digits of as many bytes from a place on as `codes` has pairs of places. */
function hexOf(bytes: Uint8Array, from: number, codes: number[]): string {
  for (let i = 0; i < codes.length / 2; i++) {
    const byte = bytes[from + i] ?? 0;
    codes[2 * i] = digits[byte >> 4] ?? 0;
    codes[2 * i + 1] = digits[byte & 15] ?? 0;
  }
  return String.fromCharCode(...codes);
}

// The only casts to a digest.

/** The digest whose 32 bytes begin at a place. */
export const digestOf = (bytes: Uint8Array, from = 0): Digest => hexOf(bytes, from, digestCodes) as Digest;

/** @throws RangeError if the text is not 64 lower-case hexadecimal digits. */
export function digest(text: string): Digest {
  if (!pattern.test(text)) throw new RangeError(`not a digest: ${JSON.stringify(text.slice(0, 70))}`);
  return text as Digest;
}
