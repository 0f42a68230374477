import type { Certificate } from '../../byzantine/certificate.ts';
import type { EpochConfiguration } from '../../byzantine/epoch.ts';
import type { Accusation } from '../../byzantine/evidence.ts';
import type { ProposalId } from '../../byzantine/proposal.ts';

/** What a caller wants decided. */
export interface VoteRequest {
  readonly kind: string;
  /** 1 to 256 bytes of UTF-8. */
  readonly subject: string;
  /** At most 64 KiB; what is decided on is its digest. */
  readonly payload: Uint8Array;
  /** 2 to 8, no two alike. */
  readonly options: readonly string[];
  /** From the quorum to N; the quorum when absent. */
  readonly minSupport: number | undefined;
  /** How long members wait for ballots. */
  readonly timeoutMs: number;
  /** How long after now the decision may be acted on. */
  readonly validMs: number;
  /** It may share a proposal with other requests, if every member approves its kind by policy. */
  readonly mayBundle?: boolean;
}

/** Where a request's answer is found. */
export interface OpenedVote {
  /** `voteName` of the item. */
  readonly id: string;
  readonly proposal: ProposalId;
  /** Its place among the items of the proposal. */
  readonly item: number;
}

export type VoteState = 'open' | 'decided' | 'no_consensus';

/** A vote as this node knows it: one item of a proposal. */
export interface VoteView {
  /** `voteName` of the item. */
  readonly id: string;
  readonly proposal: ProposalId;
  /** Which of how many items: subject, payload, outcome and choices are this one's. */
  readonly item: number;
  readonly items: number;
  readonly state: VoteState;
  readonly kind: string;
  readonly subject: string;
  readonly payloadDigest: string;
  /** While the vote is open and it is here. */
  readonly payload: Uint8Array | undefined;
  readonly options: readonly string[];
  readonly minSupport: number;
  readonly proposer: string;
  readonly timeoutMs: number;
  readonly notAfterMs: number;
  /** The option that won, or `split` or `expired`. */
  readonly outcome: string | undefined;
  readonly n: number;
  readonly f: number;
  readonly quorum: number;
  /** `choice` is null for who supports no option. */
  readonly ballots: readonly { readonly node: string; readonly choice: string | null }[];
  readonly certificate: Certificate | undefined;
}

/** A proposal began or ended at this node. Its items are told one by one, but kept and handed on together: a busy node has tens of thousands a second. */
export interface VoteNews {
  readonly kind: 'vote';
  readonly proposal: ProposalId;
  /** Its kind. */
  readonly type: string;
  readonly options: readonly string[];
  /** Of its items. */
  readonly subjects: readonly string[];
  /** A byte an item, once it has ended. */
  readonly ended: Uint8Array | undefined;
}

/** Something happened to a vote at this node. */
export interface VoteEvent {
  readonly kind: 'vote';
  /** `voteName` of the item. */
  readonly vote: string;
  /** Its kind. */
  readonly type: string;
  readonly subject: string;
  readonly state: VoteState;
  readonly outcome: string | undefined;
}

/** A vote that an agent is asked for its opinion on: a command of its heartbeat. The answer is a ballot, given to the node that asked. */
export interface VoteQuestion {
  readonly type: 'vote';
  readonly id: ProposalId;
  readonly kind: string;
  readonly subject: string;
  readonly payloadDigest: string;
  readonly options: readonly string[];
}

/** The votes of a node, for its front doors. */
export interface VoteService {
  /** Who votes now. */
  readonly configuration: EpochConfiguration;
  /** Who voted in an epoch of which there is a certificate. */
  configurationOf(epoch: number): EpochConfiguration;
  /** Newest first, open ones before those with a certificate. */
  list(limit: number): readonly VoteView[];
  /** Of a vote whose epoch ended before it was decided: the one in which it goes on, under an id of its own. */
  view(id: string): VoteView | undefined;
  /** The vote's epoch ended before it was decided, and it could not go on in the next. */
  isVoid(id: string): boolean;
  /** What this node saw members of this and earlier epochs do that no honest one does, oldest first. */
  evidence(): readonly Accusation[];
}
