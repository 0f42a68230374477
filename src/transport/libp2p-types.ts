import type { privateKeyFromProtobuf } from '@libp2p/crypto/keys';
import type { Libp2p } from 'libp2p';

// Taken from what libp2p returns, so that its package of interfaces need not be a dependency whose version could differ.

/** An encrypted, multiplexed TCP connection to one peer. */
export type Connection = ReturnType<Libp2p['getConnections']>[number];
/** One stream of a connection. */
export type Stream = Awaited<ReturnType<Connection['newStream']>>;
/** A node's secret: its public half is the node's id. */
export type Ed25519PrivateKey = Extract<ReturnType<typeof privateKeyFromProtobuf>, { readonly type: 'Ed25519' }>;
