// What the votes need of cryptography. The protocol folder is pure, so it names what it needs and is given it; `src/crypto` has the implementations.

/** SHA-256 and what is built on it. */
export interface Hashes {
  /** 32 bytes (FIPS 180-4). */
  sha256(bytes: Uint8Array): Uint8Array;
  /** HMAC-SHA256 (RFC 2104) under a key that is prepared once and used for many frames; a tag is 32 bytes. */
  hmac(key: Uint8Array): (bytes: Uint8Array) => Uint8Array;
  /** HKDF-SHA256, extract and expand (RFC 5869); `length` from 1 to 8,160 bytes. */
  hkdf(secret: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array;
}

/** Checks an Ed25519 signature (RFC 8032) of 64 bytes under a public key of 32. Anything malformed is false, never an error. */
export type VerifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** Signs with a node's identity (Ed25519, 64 bytes). */
export type Sign = (message: Uint8Array) => Uint8Array;

/** One half of a Diffie-Hellman exchange (X25519, RFC 7748). */
export interface AgreementKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The shared secret, 32 bytes; `undefined` for a public key that is malformed or yields all zeros (RFC 7748 §6.1): a point of low order. */
  agree(publicKey: Uint8Array): Uint8Array | undefined;
}

export const hashBytes = 32;
export const publicKeyBytes = 32;
export const signatureBytes = 64;
