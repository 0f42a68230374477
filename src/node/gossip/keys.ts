import { publicKeyOf } from '../../byzantine/peer-id.ts';
import type { NodeId } from '../../core/ids.ts';
import { signingKey, verifySignature } from '../../crypto/node.ts';
import { loadIdentity } from '../../transport/identity.ts';

/** Signs with the key of a node, and checks by the ids of others, which are their keys. */
export function gossipKeys(privateKey: Uint8Array) {
  const key = signingKey(loadIdentity(privateKey).privateKey.raw.slice(0, 32));
  return {
    sign: key.sign,
    verify: (node: NodeId, message: Uint8Array, signature: Uint8Array): boolean => {
      const publicKey = publicKeys.get(node) ?? remember(node);
      return publicKey !== undefined && verifySignature(publicKey, message, signature);
    },
  };
}

/** A node's id is decoded once. Bounded by forgetting all: members are few. */
const publicKeys = new Map<NodeId, Uint8Array>();
const maxKnownKeys = 4096;

function remember(node: NodeId): Uint8Array | undefined {
  const key = publicKeyOf(node);
  if (publicKeys.size >= maxKnownKeys) publicKeys.clear();
  if (key !== undefined) publicKeys.set(node, key);
  return key;
}
