declare const brand: unique symbol;

/** A SHA-256 as 64 lower-case hexadecimal digits: a string, so that it compares with `===` and is the key of a map. 32 bytes on the wire. */
export type Digest = string & { readonly [brand]: 'Digest' };

const pattern = /^[0-9a-f]{64}$/;
const digits = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

/** Serves every digest: as many are made as things are read. */
const digestCodes = Array.from({ length: 64 }, () => 0);

/** Lower-case hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  const codes = 2 * bytes.length === digestCodes.length ? digestCodes : Array.from({ length: 2 * bytes.length }, () => 0);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    codes[2 * i] = digits[byte >> 4] ?? 0;
    codes[2 * i + 1] = digits[byte & 15] ?? 0;
  }
  return String.fromCharCode(...codes);
}

// The only casts to a digest.

/** The digest of 32 bytes. */
export const digestOf = (bytes: Uint8Array): Digest => toHex(bytes) as Digest;

/** @throws RangeError if the text is not 64 lower-case hexadecimal digits. */
export function digest(text: string): Digest {
  if (!pattern.test(text)) throw new RangeError(`not a digest: ${JSON.stringify(text.slice(0, 70))}`);
  return text as Digest;
}
