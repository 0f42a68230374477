import { publicKeyBytes } from './crypto.ts';

// A node's id is the text of its libp2p peer id: base58btc of an identity multihash (0x00, length) of a protobuf (1: type 1 = Ed25519, 2: the key's 32 bytes).

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const prefix = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);
const idBytes = prefix.length + publicKeyBytes;

/** The Ed25519 public key, 32 bytes, in a peer id; `undefined` if the text is not the peer id of such a key. */
export function publicKeyOf(peerId: string): Uint8Array | undefined {
  const bytes = new Uint8Array(idBytes);
  for (const character of peerId) {
    let carry = alphabet.indexOf(character);
    if (carry < 0) return undefined;
    for (let i = idBytes - 1; i >= 0; i--) {
      carry += (bytes[i] ?? 0) * 58;
      bytes[i] = carry & 0xff;
      carry >>= 8;
    }
    if (carry !== 0) return undefined;
  }
  const publicKey = bytes.slice(prefix.length);
  // There is one text for a key: no second way to write the zero byte in front, or none.
  return peerIdOf(publicKey) === peerId ? publicKey : undefined;
}

/** The peer id of an Ed25519 public key. */
export function peerIdOf(publicKey: Uint8Array): string {
  const digits: number[] = [];
  for (const byte of [...prefix, ...publicKey]) {
    let carry = byte;
    for (let i = 0; i < digits.length; i++) {
      carry += (digits[i] ?? 0) * 256;
      digits[i] = carry % 58;
      carry = Math.floor(carry / 58);
    }
    for (; carry > 0; carry = Math.floor(carry / 58)) digits.push(carry % 58);
  }
  // The prefix's first byte is zero, which base58 writes as a '1' of its own.
  return `1${digits
    .toReversed()
    .map((digit) => alphabet[digit])
    .join('')}`;
}
