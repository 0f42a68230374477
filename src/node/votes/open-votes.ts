import { digestOf } from '../../byzantine/bytes.ts';
import type { Trust } from '../../byzantine/certificate.ts';
import type { Digest } from '../../byzantine/digest.ts';
import { Engine } from '../../byzantine/engine.ts';
import type { MemberIndex } from '../../byzantine/epoch.ts';
import type { Motion } from '../../byzantine/motion.ts';
import type { Notary } from '../../byzantine/notary.ts';
import type { ProposalId, SignedProposal } from '../../byzantine/proposal.ts';
import { emptyMemory, type Memory } from '../../byzantine/ready.ts';
import { emptyBytes } from '../../core/bytes.ts';
import type { Boot } from './boot.ts';
import type { Flush } from './flush.ts';
import { Instance } from './instance.ts';
import { forgetInstance, payloadChange, proposalChange, type StoredInstance } from './vote-records.ts';

/** Votes that are open at a node, and of those by one proposer: who proposes without end fills its own share. */
const maxOpen = 4096;
const maxOpenPerProposer = 256;
/** Bytes of payloads of open votes. */
const maxPayloadBytes = 64 * 1024 * 1024;

export interface OpenVotesParts {
  readonly self: MemberIndex;
  readonly trust: Trust;
  readonly notary: Notary;
  readonly boot: Boot;
  readonly flush: Flush;
  /** Called with each new vote once it is durable. */
  readonly onBegun: (instance: Instance) => void;
  readonly nowMs: () => number;
  /** How long view 0 of a vote may take. */
  readonly viewMs: () => number;
}

/** The votes that have no certificate yet, each with its engine and payloads, within the bounds of what a node keeps; durable with the turn that begins and ends them. */
export class OpenVotes {
  readonly #parts: OpenVotesParts;
  readonly #instances = new Map<ProposalId, Instance>();
  readonly #byProposer: number[];
  /** Votes that need a payload, whether they have it or not. */
  readonly #byPayload = new Map<Digest, Set<Instance>>();
  readonly #emptyPayload: Digest;
  #payloadBytes = 0;
  /** Votes whose engine may have something to do. */
  readonly #dirty = new Set<Instance>();

  constructor(parts: OpenVotesParts) {
    this.#parts = parts;
    this.#byProposer = parts.trust.configuration.members.map(() => 0);
    this.#emptyPayload = digestOf(parts.trust.hashes.sha256(emptyBytes));
  }

  /** Oldest first. */
  [Symbol.iterator](): IterableIterator<Instance> {
    return this.#instances.values();
  }

  get size(): number {
    return this.#instances.size;
  }

  get(id: ProposalId): Instance | undefined {
    return this.#instances.get(id);
  }

  has(id: ProposalId): boolean {
    return this.#instances.has(id);
  }

  /** True when one more vote of the proposer, with a payload of so many bytes, is within the bounds. */
  hasRoomFor(proposer: MemberIndex, payloadBytes: number): boolean {
    return (
      this.#instances.size < maxOpen &&
      (this.#byProposer[proposer] ?? 0) < maxOpenPerProposer &&
      this.#payloadBytes + payloadBytes <= maxPayloadBytes
    );
  }

  /** Begins a vote that is new here. */
  begin(signed: SignedProposal): Instance {
    const { flush, onBegun } = this.#parts;
    const instance = this.#add(signed, new Map(), undefined);
    flush.save(proposalChange(signed));
    flush.afterSave(() => onBegun(instance));
    return instance;
  }

  /** Goes on with a vote of before the restart. */
  resume({ proposal, memory, payloads }: StoredInstance): Instance {
    const remembered = memory ?? emptyMemory(this.#parts.boot.number);
    const instance = this.#add(proposal, payloads, remembered);
    instance.choice = remembered.ballot?.ballot.choices[0];
    return instance;
  }

  /** Keeps a payload that votes here lack; these votes, or none when nobody lacks it or there is no room. */
  hold(payload: Uint8Array): readonly Instance[] {
    const name = digestOf(this.#parts.trust.hashes.sha256(payload));
    const lacking = [...(this.#byPayload.get(name) ?? [])].filter(({ payloads }) => !payloads.has(name));
    if (this.#payloadBytes + lacking.length * payload.length > maxPayloadBytes) return [];
    this.#payloadBytes += lacking.length * payload.length;
    for (const instance of lacking) {
      instance.payloads.set(name, payload);
      this.#parts.flush.save(payloadChange(instance.proposal.id, name, payload));
    }
    return lacking;
  }

  payload(name: Digest): Uint8Array | undefined {
    for (const { payloads } of this.#byPayload.get(name) ?? []) if (payloads.has(name)) return payloads.get(name);
    return undefined;
  }

  /** Forgets a vote, for its certificate takes its place. */
  end(instance: Instance): void {
    const { id, proposal } = instance.proposal;
    if (!this.#instances.delete(id)) return;
    this.#dirty.delete(instance);
    this.#byProposer[proposal.proposer] = (this.#byProposer[proposal.proposer] ?? 0) - 1;
    this.#payloadBytes -= instance.payloadBytes;
    for (const { payloadDigest } of proposal.items) {
      const votes = this.#byPayload.get(payloadDigest);
      votes?.delete(instance);
      if (votes?.size === 0) this.#byPayload.delete(payloadDigest);
    }
    const payloads = [...instance.payloads.keys()].filter((name) => name !== this.#emptyPayload);
    this.#parts.flush.save(...forgetInstance(id, instance.saved, payloads));
  }

  /** The vote's engine may have something to do this turn. */
  touch(instance: Instance): void {
    this.#dirty.add(instance);
  }

  takeTouched(): readonly Instance[] {
    const touched = [...this.#dirty];
    this.#dirty.clear();
    return touched;
  }

  #add(signed: SignedProposal, payloads: ReadonlyMap<Digest, Uint8Array>, memory: Memory | undefined): Instance {
    const { proposer, items } = signed.proposal;
    const instance = new Instance(signed, this.#parts.trust, payloads, memory, this.#parts.viewMs, this.#engineFor(signed, memory));
    this.#instances.set(signed.id, instance);
    this.#byProposer[proposer] = (this.#byProposer[proposer] ?? 0) + 1;
    this.#payloadBytes += instance.payloadBytes;
    for (const { payloadDigest } of items) {
      if (payloadDigest === this.#emptyPayload) instance.payloads.set(payloadDigest, emptyBytes);
      this.#byPayload.set(payloadDigest, (this.#byPayload.get(payloadDigest) ?? new Set()).add(instance));
    }
    this.touch(instance);
    return instance;
  }

  #engineFor({ proposal }: SignedProposal, memory: Memory | undefined): ((motion: Motion) => Engine) | undefined {
    const { self, boot, notary, viewMs, nowMs } = this.#parts;
    if (!boot.mayVote) return undefined;
    const remembered = memory === undefined ? {} : { memory };
    return (motion) =>
      new Engine({ motion, self, boot: boot.number, notary, timeoutMs: proposal.timeoutMs, viewMs, ...remembered }, nowMs());
  }
}
