/** Bounds of what a node takes in and keeps. What exceeds them is dropped and counted; a write of this node's own is refused. */
export const gossipLimits = {
  /** A node of 200,000 agents needs some 80 MB for them. */
  keys: 200_000,
  keyLength: 160,
  /** A status is some 100 bytes. */
  valueBytes: 512,
  /** Concurrent values of one key; beyond, those that rank lowest go. */
  siblings: 4,
  /** Nodes in one version vector: as many as a cluster may have members. */
  vectorNodes: 1024,
  /** A batch is flushed when so many entries wait. */
  flushEntries: 256,
  batchEntries: 512,
  /** One message of a batch: a gossip network that passes larger ones on holds up the others behind them. */
  batchBytes: 48 * 1024,
  /** Own updates that wait for a flush; the oldest go. They stay in the store, and others notice the gap and ask. */
  pendingBytes: 32 * 1024 * 1024,
  /** What one answer of anti-entropy holds; the next one goes on from there. */
  deltaEntries: 2048,
  /** A whole bucket, when the cross-check has found a difference. */
  bucketEntries: 16_384,
  /** Updates per second of one origin, and at once. */
  updatesPerSecond: 5000,
  updatesBurst: 10_000,
  /** How far a batch may be ahead of what is known of its origin: a hostile counter must not silence its owner for ever. */
  countersAhead: 2 ** 20,
  /** Bad batches of one node in a minute that make it mute, and for how long. */
  badPerMinute: 10,
  muteMs: 60_000,
  /** How far a time stamp may be ahead of this node's clock and still count. */
  driftMs: 500,
  /** A tombstone that every member has seen may go after this time: no copy of what it removed is on its way any more. */
  tombstoneMinMs: 60_000,
  /** How long tombstones are kept at most; who heard nobody for longer forgets what it held of others. */
  tombstoneMs: 24 * 3600 * 1000,
} as const;
