import { ByteWriter, label } from '../byzantine/bytes.ts';
import type { Hashes, Sign } from '../byzantine/crypto.ts';
import { publicKeyOf } from '../byzantine/peer-id.ts';
import type { NodeId } from '../core/ids.ts';
import { nodeHashes, signingKey, verifySignature } from '../crypto/node.ts';
import type { SignedHead } from '../wire/frames.ts';
import type { ChainHead } from './head-ring.ts';

/** A node's own key, and what it can check of others. */
export interface NodeKeys {
  readonly hashes: Pick<Hashes, 'sha256'>;
  readonly sign: Sign;
  /** True if the node signed the message. Anything malformed is false, never an error. */
  readonly verify: (node: NodeId, message: Uint8Array, signature: Uint8Array) => boolean;
}

/** The keys of a node whose Ed25519 identity has this seed of 32 bytes. Other nodes' public keys are in their ids. */
export function nodeKeys(seed: Uint8Array): NodeKeys {
  // To read a key out of an id takes about as long as to check a signature.
  const known = new Map<NodeId, Uint8Array>();
  return {
    hashes: nodeHashes,
    sign: signingKey(seed).sign,
    verify: (node, message, signature) => {
      const publicKey = known.get(node) ?? publicKeyOf(node);
      if (publicKey === undefined) return false;
      if (known.size >= maxKnownKeys) known.clear();
      known.set(node, publicKey);
      return verifySignature(publicKey, message, signature);
    },
  };
}

/** More than a cluster has members. */
const maxKnownKeys = 1024;

const domain = label('quorate/log-head/v1');

/** What a node signs of its log: nothing else that it signs begins like this. */
const messageOf = (clusterId: string, node: NodeId, { index, chain }: ChainHead): Uint8Array =>
  new ByteWriter().fixed(domain).text(clusterId).text(node).u64(index).fixed(chain).finish();

export const signHead = ({ sign }: NodeKeys, clusterId: string, node: NodeId, { index, chain }: ChainHead): SignedHead => ({
  node,
  index,
  chain,
  signature: sign(messageOf(clusterId, node, { index, chain })),
});

export const isSigned = ({ verify }: NodeKeys, clusterId: string, head: SignedHead): boolean =>
  verify(head.node, messageOf(clusterId, head.node, head), head.signature);
