declare const brand: unique symbol;

/** A SHA-256 as 64 lower-case hexadecimal digits: a string, so that it compares with `===` and is the key of a map. 32 bytes on the wire. */
export type Digest = string & { readonly [brand]: 'Digest' };

const pattern = /^[0-9a-f]{64}$/;

// The only cast to a digest.

/** @throws RangeError if the text is not 64 lower-case hexadecimal digits. */
export function digest(text: string): Digest {
  if (!pattern.test(text)) throw new RangeError(`not a digest: ${JSON.stringify(text.slice(0, 70))}`);
  return text as Digest;
}
