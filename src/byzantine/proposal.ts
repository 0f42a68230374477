import type { Digest } from './digest.ts';
import type { MemberIndex } from './epoch.ts';

/** The digest of a proposal's canonical bytes; names the instance of the vote. Two different proposals are two instances: there is nothing to equivocate on. */
export type ProposalId = Digest;

/** One thing to decide. */
export interface Item {
  /** What it is about, for example `deploy:web@sha256…`: 1 to `proposalLimits.subjectBytes` bytes of UTF-8. */
  readonly subject: string;
  readonly payloadDigest: Digest;
}

/** What is voted on (protocol design 1.4), without its signature. */
export interface Proposal {
  readonly cluster: string;
  readonly epoch: number;
  /** Which schema and policy apply. */
  readonly kind: string;
  /** 1 to `proposalLimits.items`; more than one is a bundle, for kinds that machines decide. */
  readonly items: readonly Item[];
  /** 2 to 8, each of 1 to 64 bytes, no two alike, ascending by UTF-8 bytes. */
  readonly options: readonly string[];
  /** Ballots that an option needs: from the quorum Q to N. */
  readonly minSupport: number;
  readonly proposer: MemberIndex;
  /** Counts a proposer's proposals; a whole number below 2^53. */
  readonly proposerSeq: number;
  /** How long a member waits for ballots from its first sight of the proposal. */
  readonly timeoutMs: number;
  /** Milliseconds since 1970: whoever acts on the decision later than this should not. Plays no part in agreement. */
  readonly notAfterMs: number;
}

/** A proposal as it travels. */
export interface SignedProposal {
  readonly id: ProposalId;
  readonly proposal: Proposal;
  /** Ed25519 over the canonical bytes, by the proposer. */
  readonly signature: Uint8Array;
}

/** Bounds of every part of a proposal; beyond one it is malformed. */
export const proposalLimits = {
  clusterBytes: 128,
  kindBytes: 64,
  subjectBytes: 256,
  items: 1024,
  options: { min: 2, max: 8 },
  optionBytes: 64,
  payloadBytes: 64 * 1024,
  timeoutMs: { min: 100, max: 604_800_000 },
} as const;
