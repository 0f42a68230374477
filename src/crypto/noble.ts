import { expand, extract } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import type { Hashes } from '../byzantine/crypto.ts';

/** SHA-256, HMAC and HKDF in plain JavaScript: the same on every machine, and the yardstick for the faster `nodeHashes`. */
export const nobleHashes: Hashes = {
  sha256: (bytes) => sha256(bytes),
  hmac: (key) => {
    const prepared = hmac.create(sha256, key);
    return (bytes) => prepared.clone().update(bytes).digest();
  },
  hkdf: (secret, salt, info, length) => expand(sha256, extract(sha256, secret, salt), info, length),
};
