import { Packr } from 'msgpackr';

// Plain msgpack: no record extension and no shared structures, so that any bytes can be read alone, by any version and in any language.
const packr = new Packr({ useRecords: false, moreTypes: false, mapsAsObjects: true, int64AsType: 'number' });

/** Encodes plain data (null, booleans, numbers, strings, bytes, arrays, string-keyed objects). The result is the caller's to keep. */
export const pack = (value: unknown): Uint8Array => packr.pack(value);

/** Decodes bytes of anyone; `undefined` when they are not exactly one msgpack value. Never throws. */
export function unpack(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes);
  } catch {
    return undefined;
  }
}
