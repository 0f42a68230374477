import { sha256 } from '@noble/hashes/sha2.js';
import { equalBytes } from '../src/core/bytes.ts';
import type { NodeId } from '../src/core/ids.ts';
import { signatureBytes } from '../src/byzantine/crypto.ts';
import type { NodeKeys } from '../src/node/log-head.ts';
import { fingerprint } from './invariants/agreed-log.ts';

/** Signatures that nobody in a simulated world forges: they cost a hundredth of true ones, and a wrong bit makes them wrong. */
export const simulatedKeys = (self: NodeId): NodeKeys => ({
  hashes: { sha256: (bytes) => sha256(bytes) },
  sign: (message) => signatureOf(self, message),
  verify: (node, message, signature) => equalBytes(signatureOf(node, message), signature),
});

function signatureOf(node: NodeId, message: Uint8Array): Uint8Array {
  const signature = new Uint8Array(signatureBytes);
  let print = 0;
  for (let at = 0; at < node.length; at++) print = Math.imul(print ^ node.charCodeAt(at), 0x01000193);
  new DataView(signature.buffer).setUint32(0, fingerprint(message, print));
  return signature;
}
