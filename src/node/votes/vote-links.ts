import type { Authenticator } from '../../byzantine/authenticator.ts';
import type { EpochConfiguration, MemberIndex } from '../../byzantine/epoch.ts';
import { isFrame } from '../../byzantine/frame.ts';
import { isAnnouncement } from '../../byzantine/key-announcement.ts';
import type { ByzantineMessage } from '../../byzantine/messages.ts';
import type { ProposalId } from '../../byzantine/proposal.ts';
import { encodeMessage, encodeRecord, type FrameRecord, packRecords, unpackRecords } from '../../byzantine/records.ts';
import type { NodeId } from '../../core/ids.ts';

/** True for frames between nodes that are the votes' and not Raft's: their first two bytes are other than those of a packed array. */
export const isVoteFrame = (bytes: Uint8Array): boolean => isFrame(bytes) || isAnnouncement(bytes);

/** How often a member is told this node's key at most: who floods us with frames under unknown keys is not answered each time. */
const announceEveryMs = 200;
const askForKeyEveryMs = 500;
/** Bytes a member may ask for between two ticks. */
const answerBytesPerTick = 1024 * 1024;

export interface VoteLinksParts {
  readonly configuration: EpochConfiguration;
  readonly self: MemberIndex;
  readonly authenticator: Authenticator;
  readonly send: (to: NodeId, frame: Uint8Array) => void;
  /** A member's key is new: it has started again, or is met for the first time. */
  readonly onMet: (member: MemberIndex) => void;
}

/** The votes' authenticated frames over the links to the other members: gathers what goes to each in a flush, and exchanges keys. */
export class VoteLinks {
  readonly #parts: VoteLinksParts;
  readonly #outgoing: Uint8Array[][];
  readonly #announcedMs: number[];
  readonly #answerBytes: number[];
  /** The last message that was encoded: a broadcast is encoded once. */
  #last: { readonly message: ByzantineMessage; readonly bytes: Uint8Array } | undefined;
  readonly #others: readonly MemberIndex[];
  /** Frames that were not understood or not authentic. */
  refused = 0;

  constructor(parts: VoteLinksParts) {
    this.#parts = parts;
    const { members } = parts.configuration;
    this.#outgoing = members.map(() => []);
    this.#others = members.flatMap((_, member) => (member === parts.self ? [] : [member]));
    this.#announcedMs = members.map(() => Number.NEGATIVE_INFINITY);
    this.#answerBytes = members.map(() => answerBytesPerTick);
  }

  memberOf(node: NodeId): MemberIndex | undefined {
    const index = this.#parts.configuration.members.findIndex(({ nodeId }) => nodeId === node);
    return index < 0 || index === this.#parts.self ? undefined : index;
  }

  /** True when frames can be sent to a member. */
  knows(member: MemberIndex): boolean {
    return this.#parts.authenticator.knows(member);
  }

  /** Puts a record with what goes to a member at the next flush. */
  push(to: MemberIndex, record: FrameRecord): void {
    this.#outgoing[to]?.push(encodeRecord(record));
  }

  /** What an engine says to a member. A message to all of them is one object. */
  say(to: MemberIndex, proposal: ProposalId, message: ByzantineMessage): void {
    if (this.#last?.message !== message) this.#last = { message, bytes: encodeMessage(proposal, message) };
    this.#outgoing[to]?.push(this.#last.bytes);
  }

  pushToAll(record: FrameRecord): void {
    const bytes = encodeRecord(record);
    for (const member of this.others()) this.#outgoing[member]?.push(bytes);
  }

  /** Answers a question, as far as the member hasn't asked too much. */
  answer(to: MemberIndex, record: FrameRecord): void {
    const bytes = encodeRecord(record);
    const left = (this.#answerBytes[to] ?? 0) - bytes.length;
    if (left < 0) return;
    this.#answerBytes[to] = left;
    this.#outgoing[to]?.push(bytes);
  }

  /** Also tells its key again to who hasn't told its own: a link may have been replaced while the words were on their way. */
  tick(nowMs: number): void {
    this.#answerBytes.fill(answerBytesPerTick);
    for (const member of this.others())
      if (!this.knows(member) && nowMs - (this.#announcedMs[member] ?? 0) >= askForKeyEveryMs) this.announce(member, nowMs);
  }

  others(): readonly MemberIndex[] {
    return this.#others;
  }

  takeOutgoing(): readonly (readonly Uint8Array[])[] {
    this.#last = undefined;
    return this.#outgoing.map((records) => records.splice(0));
  }

  /** Seals and sends; what is for a member without a known key is dropped: the protocol says it again. */
  send(outgoing: readonly (readonly Uint8Array[])[]): void {
    const { authenticator } = this.#parts;
    for (const [to, records] of outgoing.entries()) {
      if (records.length === 0) continue;
      for (const payload of packRecords(records)) {
        const frame = authenticator.seal(to, payload);
        if (frame !== undefined) this.#sendTo(to, frame);
      }
    }
  }

  announce(to: MemberIndex, nowMs: number): void {
    if (nowMs - (this.#announcedMs[to] ?? 0) < announceEveryMs) return;
    this.#announcedMs[to] = nowMs;
    this.#sendTo(to, this.#parts.authenticator.announcement());
  }

  /** Tells everybody of a new key. */
  announceToAll(): void {
    const bytes = this.#parts.authenticator.announcement();
    for (const member of this.others()) this.#sendTo(member, bytes);
  }

  /** What a member's frame says; undefined when that is nothing, or nothing to be believed. */
  open(
    from: MemberIndex,
    bytes: Uint8Array,
    nowMs: number,
  ): { readonly from: MemberIndex; readonly records: readonly FrameRecord[] } | undefined {
    const { authenticator, onMet } = this.#parts;
    if (isAnnouncement(bytes)) {
      const learned = authenticator.learn(bytes, nowMs);
      if (learned === 'refused') this.refused++;
      // Whoever says its key again has perhaps not heard this node's. The limit on announcements ends such an exchange.
      if (learned === 'known') this.announce(from, nowMs);
      if (learned !== 'new') return undefined;
      // It may have started after this node said its key.
      this.#announcedMs[from] = Number.NEGATIVE_INFINITY;
      this.announce(from, nowMs);
      onMet(from);
      return undefined;
    }
    const opened = authenticator.open(bytes, from, nowMs);
    if (!opened.ok) {
      this.refused++;
      if (opened.refusal === 'unknown_key') this.announce(from, nowMs);
      return undefined;
    }
    const records = unpackRecords(opened.payload);
    if (records === undefined) this.refused++;
    return records && { from: opened.from, records };
  }

  #sendTo(member: MemberIndex, frame: Uint8Array): void {
    const to = this.#parts.configuration.members[member];
    if (to !== undefined) this.#parts.send(to.nodeId, frame);
  }
}
