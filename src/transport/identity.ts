import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import type { NodeId } from '../core/ids.ts';
import { nodeId } from '../core/ids.ts';
import type { Ed25519PrivateKey } from './libp2p-types.ts';

export interface Identity {
  /** The libp2p peer id of the key, as text. */
  readonly nodeId: NodeId;
  readonly privateKey: Ed25519PrivateKey;
}

/** A new identity; `privateKeyBytes` is what a key file holds: the Ed25519 private key in libp2p's protobuf form. */
export async function createIdentity(): Promise<{ readonly nodeId: NodeId; readonly privateKeyBytes: Uint8Array }> {
  const privateKey = await generateKeyPair('Ed25519');
  return { nodeId: nodeIdOf(privateKey), privateKeyBytes: privateKeyToProtobuf(privateKey) };
}

/** @throws RangeError if the bytes are not such a key. */
export function loadIdentity(privateKeyBytes: Uint8Array): Identity {
  const privateKey = parse(privateKeyBytes);
  if (privateKey?.type !== 'Ed25519') throw new RangeError('these bytes are not an Ed25519 private key');
  return { nodeId: nodeIdOf(privateKey), privateKey };
}

function parse(bytes: Uint8Array): ReturnType<typeof privateKeyFromProtobuf> | undefined {
  try {
    return privateKeyFromProtobuf(bytes);
  } catch {
    return undefined;
  }
}

/** The node id a key stands for. */
export const nodeIdOf = (privateKey: Ed25519PrivateKey): NodeId => nodeId(peerIdFromPrivateKey(privateKey).toString());

/** True for the text of a peer id: nothing else may be dialled or asked for. */
export function isPeerId(text: string): boolean {
  try {
    return peerIdFromString(text).type === 'Ed25519';
  } catch {
    return false;
  }
}
