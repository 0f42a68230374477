import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import { decodeFrame } from '../../../src/byzantine/frame.ts';
import { decodeAnnouncement } from '../../../src/byzantine/key-announcement.ts';
import type { ByzantineMessage } from '../../../src/byzantine/messages.ts';
import type { ProposalId, SignedProposal } from '../../../src/byzantine/proposal.ts';
import type { Memory } from '../../../src/byzantine/ready.ts';
import type { FrameRecord } from '../../../src/byzantine/records.ts';
import { unpackRecords } from '../../../src/byzantine/records.ts';
import type { SignedBallot } from '../../../src/byzantine/ballot.ts';
import type { Statement } from '../../../src/byzantine/statement.ts';
import { nodeHashes } from '../../../src/crypto/node.ts';
import type { VoteRecord } from '../../../src/storage/vote-store.ts';
import { openVoteStore, type StoredVotes } from '../../../src/node/votes/vote-records.ts';
import type { Motion } from '../../../src/byzantine/motion.ts';
import { hold } from '../../violation.ts';
import { FairEvidence } from '../invariants/fair-evidence.ts';
import { OwnEpoch } from '../invariants/own-epoch.ts';
import { VoteChecks } from '../vote-checks.ts';
import type { Electorate } from './electorate.ts';

/** What is known of one vote from the disks and frames of honest members. */
export interface WatchedVote {
  readonly proposal: SignedProposal;
  readonly motion: Motion;
  readonly checks: VoteChecks;
  /** The newest that each honest member said. */
  readonly statements: (Statement | undefined)[];
  /** Of any voter, the last one that was sent. */
  readonly ballots: Map<MemberIndex, SignedBallot>;
}

/** Reads the disks and frames of honest members, and tells the invariants of each vote what they do. */
export class Watcher {
  readonly votes = new Map<ProposalId, WatchedVote>();
  readonly evidence = new Set<string>();
  readonly #electorate: Electorate;
  readonly #liars: ReadonlySet<MemberIndex>;
  readonly #fairEvidence: FairEvidence;
  readonly #ownEpoch = new OwnEpoch();
  readonly #stored = new Map<MemberIndex, StoredVotes>();

  constructor(electorate: Electorate, liars: ReadonlySet<MemberIndex>) {
    this.#electorate = electorate;
    this.#liars = liars;
    this.#fairEvidence = new FairEvidence({ liars });
  }

  /** How many lies it noticed. */
  onSaved(member: MemberIndex, records: readonly VoteRecord[]): number {
    const before = this.#stored.get(member);
    const after = openVoteStore(nodeHashes, { saveVotes() {} }, records).held;
    this.#stored.set(member, after);
    this.#ownEpoch.onSaved(member, after);
    for (const { proposal, memory } of after.instances) {
      if (memory === undefined) continue;
      const { checks } = this.#watch(proposal);
      checks.saved(member, memoryOf(before, proposal.id), memory);
      const { decided } = memory.statement;
      const witness = memory.witnesses.find(({ value }) => value === decided);
      if (witness !== undefined && memoryOf(before, proposal.id)?.statement.decided === undefined) checks.decided(member, witness);
    }
    for (const { certificate } of after.certificates.slice(before?.certificates.length ?? 0))
      this.#watch(certificate.proposal).checks.certified(member, certificate);
    const noticed = after.evidence.slice(before?.evidence.length ?? 0);
    for (const { evidence } of noticed) {
      this.evidence.add(evidence.kind);
      this.#fairEvidence.onEvidence(member, evidence);
    }
    return noticed.length;
  }

  /** An honest member's frame: the key that it announces, or its records. */
  onSent(member: MemberIndex, frame: Uint8Array): void {
    const epoch = epochOf(frame, this.#electorate.trust.configuration.members.length);
    if (epoch !== undefined) this.#ownEpoch.onSent(member, epoch);
    const generation = decodeAnnouncement(frame)?.announcement.generation ?? 0;
    const isSaved = generation <= (this.#stored.get(member)?.boot?.generation ?? 0);
    hold(isSaved, 'durable-before-sent', () => `member ${member} announced key ${generation} that it has not saved`);
    for (const record of recordsIn(frame, this.#electorate.trust.configuration.members.length)) {
      const word = wordOf(record);
      const vote = word && this.votes.get(word.id);
      if (word === undefined || vote === undefined) continue;
      const { id, message } = word;
      const stored = this.#stored.get(member);
      // Who has the certificate says nothing more of the vote after a restart.
      const isOver = stored?.certificates.some(({ certificate }) => certificate.proposal.id === id) === true;
      if (!isOver) vote.checks.sent(member, memoryOf(stored, id), message);
      if (message.type === 'statement') vote.statements[member] = message.statement;
      if (message.type === 'ballot') vote.ballots.set(message.ballot.ballot.voter, message.ballot);
    }
  }

  /** True when each honest member that runs has a certificate of every vote that one of them has or had open. */
  isOver(honest: readonly MemberIndex[]): boolean {
    const known = new Set(honest.flatMap((member) => (this.#stored.get(member)?.instances ?? []).map(({ proposal }) => proposal.id)));
    return known.size === 0 && honest.every((member) => this.#stored.has(member));
  }

  get proposals(): readonly SignedProposal[] {
    return [...this.votes.values()].map(({ proposal }) => proposal);
  }

  #watch(signed: SignedProposal): WatchedVote {
    const { id, proposal } = signed;
    const known = this.votes.get(id);
    if (known !== undefined) return known;
    const { trust, notary } = this.#electorate;
    const n = trust.configuration.members.length;
    const motion = { proposal: id, n, items: proposal.items.length, options: proposal.options.length, minSupport: proposal.minSupport };
    const configuration = this.#electorate.configurationOf(proposal.epoch);
    const checks = new VoteChecks({ motion, notary, liars: this.#liars }, { ...trust, configuration });
    const vote = { proposal: signed, motion, checks, statements: [], ballots: new Map<MemberIndex, SignedBallot>() };
    this.votes.set(id, vote);
    return vote;
  }
}

const memoryOf = (stored: StoredVotes | undefined, id: ProposalId): Memory | undefined =>
  stored?.instances.find(({ proposal }) => proposal.id === id)?.memory;

/** Of a frame that may be anything. */
export const recordsIn = (frame: Uint8Array, members: number): readonly FrameRecord[] => {
  const decoded = decodeFrame(frame, members);
  return (decoded && unpackRecords(decoded.payload)) ?? [];
};

/** That a frame says it is of; undefined: it is none. */
export const epochOf = (frame: Uint8Array, members: number): number | undefined => decodeFrame(frame, members)?.header.epoch;

/** A record about a vote, as an engine takes it. */
function wordOf(record: FrameRecord): { readonly id: ProposalId; readonly message: ByzantineMessage } | undefined {
  switch (record.type) {
    case 'statement':
    case 'want':
      return { id: record.proposal, message: record };
    case 'ballot':
      return { id: record.ballot.ballot.proposal, message: record };
    case 'expiry':
      return { id: record.expiry.expiry.proposal, message: record };
    case 'witness':
      return { id: record.witness.proposal, message: record };
    case 'attestation':
    case 'proposal':
    case 'certificate':
    case 'get':
    case 'blob':
    case 'policy':
      return undefined;
  }
}
