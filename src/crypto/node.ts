import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  hkdfSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import {
  type AgreementKey,
  hashBytes,
  type Hashes,
  publicKeyBytes,
  type Sign,
  signatureBytes,
  type VerifySignature,
} from '../byzantine/crypto.ts';

// A Buffer may be a window of a shared pool and compares unlike a Uint8Array: nothing outside sees one.
const plain = (buffer: Uint8Array): Uint8Array => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);

/** Out of a string of a character a byte: a buffer that OpenSSL's side makes costs twice the hash. */
function sha256(bytes: Uint8Array): Uint8Array {
  const text = hash('sha256', bytes, 'binary');
  const digest = new Uint8Array(hashBytes);
  for (let i = 0; i < hashBytes; i++) digest[i] = text.charCodeAt(i);
  return digest;
}

/** SHA-256, HMAC and HKDF by OpenSSL; equal to `nobleHashes`, and faster. */
export const nodeHashes: Hashes = {
  sha256,
  hmac: (key) => {
    const prepared = createSecretKey(key);
    return (bytes) => plain(createHmac('sha256', prepared).update(bytes).digest());
  },
  hkdf: (secret, salt, info, length) => new Uint8Array(hkdfSync('sha256', secret, salt, info, length)),
};

// The fixed DER before the 32 bytes of a key (RFC 8410): SubjectPublicKeyInfo and PKCS#8 of Ed25519 (1.3.101.112) and X25519 (1.3.101.110).
const der = {
  ed25519Public: Buffer.from('302a300506032b6570032100', 'hex'),
  ed25519Private: Buffer.from('302e020100300506032b657004220420', 'hex'),
  x25519Public: Buffer.from('302a300506032b656e032100', 'hex'),
};

const publicKeyOf = (prefix: Buffer, raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([prefix, raw]), format: 'der', type: 'spki' });

/** At most this many parsed public keys are kept: members of some epochs; parsing one costs as much as a hash of some kilobytes. */
const maxKnownKeys = 1024;
const knownKeys = new Map<string, KeyObject>();

function ed25519PublicKey(raw: Uint8Array): KeyObject {
  const name = Buffer.from(raw).toString('latin1');
  const known = knownKeys.get(name);
  if (known !== undefined) return known;
  const key = publicKeyOf(der.ed25519Public, raw);
  if (knownKeys.size >= maxKnownKeys) knownKeys.clear();
  knownKeys.set(name, key);
  return key;
}

/** Ed25519 by OpenSSL. */
export const verifySignature: VerifySignature = (publicKey, message, signature) => {
  if (publicKey.length !== publicKeyBytes || signature.length !== signatureBytes) return false;
  try {
    return verify(null, message, ed25519PublicKey(publicKey), signature);
  } catch {
    return false;
  }
};

/** A node's identity, as far as votes need it. */
export interface SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly sign: Sign;
}

/**
 * An Ed25519 key pair of a seed of 32 bytes: the first half of the raw form of libp2p's private keys.
 * @throws RangeError for a seed of another length.
 */
export function signingKey(seed: Uint8Array): SigningKey {
  if (seed.length !== 32) throw new RangeError(`an Ed25519 seed has 32 bytes, this one ${seed.length}`);
  const key = createPrivateKey({ key: Buffer.concat([der.ed25519Private, seed]), format: 'der', type: 'pkcs8' });
  return { publicKey: rawPublicKey(createPublicKey(key)), sign: (message) => plain(sign(null, message, key)) };
}

const rawPublicKey = (key: KeyObject): Uint8Array => plain(key.export({ format: 'der', type: 'spki' })).slice(-publicKeyBytes);

/** A new X25519 key pair from the system's random source. */
export function createAgreementKey(): AgreementKey {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  return { publicKey: rawPublicKey(publicKey), agree: (other) => agree(privateKey, other) };
}

function agree(privateKey: KeyObject, other: Uint8Array): Uint8Array | undefined {
  if (other.length !== publicKeyBytes) return undefined;
  try {
    // OpenSSL 3 refuses to derive an all-zero secret; the check is for those that don't.
    const secret = diffieHellman({ privateKey, publicKey: publicKeyOf(der.x25519Public, other) });
    return secret.every((byte) => byte === 0) ? undefined : plain(secret);
  } catch {
    return undefined;
  }
}
