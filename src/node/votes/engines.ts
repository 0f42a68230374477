import { type Signable, maxBatch, signBatch } from '../../byzantine/attestation.ts';
import type { Ballot, Expiry } from '../../byzantine/ballot.ts';
import { encodeCertificate } from '../../byzantine/certificate.ts';
import type { Hashes, Sign } from '../../byzantine/crypto.ts';
import { encodeSignedProposal } from '../../byzantine/encoding.ts';
import type { MemberIndex } from '../../byzantine/epoch.ts';
import type { Memory, Ready } from '../../byzantine/ready.ts';
import { defined } from '../../core/assert.ts';
import type { Logger } from '../../core/logger.ts';
import type { Certificates, Certified } from './certificates.ts';
import type { EarlyRecords } from './early-records.ts';
import type { EvidenceBook } from './evidence-book.ts';
import type { Flush } from './flush.ts';
import type { Instance } from './instance.ts';
import type { OpenVotes } from './open-votes.ts';
import type { VoteLinks } from './vote-links.ts';
import { memoryChanges } from './vote-records.ts';

export interface EnginesParts {
  readonly self: MemberIndex;
  readonly hashes: Hashes;
  readonly sign: Sign;
  readonly logger: Logger;
  readonly open: OpenVotes;
  readonly certificates: Certificates;
  readonly early: EarlyRecords;
  readonly evidence: EvidenceBook;
  readonly links: VoteLinks;
  readonly flush: Flush;
  readonly nowMs: () => number;
}

/** A link loses frames only when its queue is full: after some 6 s of reminders a member that is silent has the proposal, or hears of it when its link is back. */
const maxSpreads = 6;

interface ToSign {
  readonly instance: Instance;
  readonly thing: Signable;
}

/** Lets the engines of open votes go on: signs what they want signed with as few signatures as may be, and brings a decision to its certificate. */
export class Engines {
  readonly #parts: EnginesParts;

  constructor(parts: EnginesParts) {
    this.#parts = parts;
  }

  /** Lets every engine that has something to do go on until none has; gathers what is to be saved and sent. Returns how many votes it was about. */
  run(): number {
    const { open, flush } = this.#parts;
    const memories = new Map<Instance, Memory>();
    let votes = 0;
    for (let instances = open.takeTouched(); instances.length > 0; instances = open.takeTouched()) {
      const toSign: ToSign[] = [];
      votes += instances.length;
      for (const instance of instances) {
        const ready = instance.engine?.takeReady();
        if (ready === undefined) continue;
        if (ready.save !== undefined) memories.set(instance, ready.save);
        for (const thing of this.#obey(instance, ready)) toSign.push({ instance, thing });
      }
      for (let from = 0; from < toSign.length; from += maxBatch) this.#sign(toSign.slice(from, from + maxBatch));
      for (const instance of instances) this.#certify(instance, false);
    }
    for (const [instance, memory] of memories) {
      // With a certificate there is nothing left to remember.
      if (open.has(instance.proposal.id)) flush.save(...memoryChanges(instance.proposal.id, memory, instance.saved));
    }
    return votes;
  }

  /** Time goes on for the engines and for what was said outside of them. */
  tick(nowMs: number): void {
    const { open } = this.#parts;
    for (const instance of open) {
      if ((instance.engine?.wakeAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
        instance.engine?.tick(nowMs);
        open.touch(instance);
      }
      if (instance.remindAtMs <= nowMs) this.#remind(instance, nowMs);
    }
  }

  /** A vote is over. Its certificate takes the place of all that was kept of it. */
  end(certified: Certified): void {
    const { open, early, certificates } = this.#parts;
    const { id } = certified.certificate.proposal;
    const instance = open.get(id);
    if (instance !== undefined) open.end(instance);
    early.take(id);
    certificates.add(certified);
  }

  /** What is to be signed for the engine. */
  #obey(instance: Instance, { toSign, messages, evidence, decided, breach }: Ready): Signable[] {
    const { id } = instance.proposal;
    for (const { to, message } of messages) this.#parts.links.say(to, id, message);
    for (const lie of evidence) this.#parts.evidence.add(lie);
    if (breach !== undefined)
      this.#parts.logger.error({ vote: id }, 'two outcomes of a vote have both been decided: more members lie than may');
    const things = toSign.map(signableOf);
    return decided === undefined ? things : [...things, { type: 'attestation', attestation: instance.decide(decided) }];
  }

  #sign(batch: readonly ToSign[]): void {
    const { hashes, sign, open, nowMs } = this.#parts;
    const signatures = signBatch(
      hashes,
      sign,
      batch.map(({ thing }) => thing),
    );
    for (const [i, { instance, thing }] of batch.entries()) {
      const signature = defined(signatures[i], 'a batch has a signature for each thing');
      if (thing.type === 'ballot') instance.engine?.signed({ ballot: thing.ballot, signature }, nowMs());
      else if (thing.type === 'expiry') instance.engine?.signed({ expiry: thing.expiry, signature }, nowMs());
      else {
        const { proposal, outcome } = thing.attestation;
        instance.attested = { proposal, member: this.#parts.self, outcome, signature };
        instance.attest(instance.attested);
        instance.arm(nowMs());
        this.#parts.links.pushToAll({ type: 'attestation', attestation: instance.attested });
      }
      open.touch(instance);
    }
  }

  /** Ends the vote if its attestations make a certificate. */
  #certify(instance: Instance, isLate: boolean): boolean {
    if (!this.#parts.open.has(instance.proposal.id)) return true;
    const certificate = instance.certificate(isLate);
    if (certificate === undefined) return false;
    this.end({ certificate, bytes: encodeCertificate(certificate) });
    return true;
  }

  #remind(instance: Instance, nowMs: number): void {
    if (this.#certify(instance, true)) return;
    instance.reminded(nowMs);
    const { links } = this.#parts;
    const { attested, missing } = instance;
    const spreads = this.#spread(instance);
    const others = links.others();
    const asked = others[instance.reminders % others.length];
    for (const payload of missing) if (asked !== undefined) links.push(asked, { type: 'get', digest: payload });
    if (attested !== undefined) links.pushToAll({ type: 'attestation', attestation: attested });
    if (attested !== undefined || instance.engine === undefined) links.pushToAll({ type: 'get', digest: instance.proposal.id });
    else if (instance.isComplete && !instance.hasAttestations && !spreads) instance.remindAtMs = Number.POSITIVE_INFINITY;
  }

  /** Sends this node's own proposal again to who has said nothing of it: whoever has no opinion yet says nothing, and may not know of the vote. */
  #spread({ proposal, heard, reminders }: Instance): boolean {
    const { self, links } = this.#parts;
    if (proposal.proposal.proposer !== self || reminders > maxSpreads) return false;
    const silent = links.others().filter((member) => !heard.has(member));
    for (const member of silent) links.push(member, { type: 'proposal', bytes: encodeSignedProposal(proposal) });
    return silent.length > 0;
  }
}

const signableOf = (thing: Ballot | Expiry): Signable =>
  'choices' in thing ? { type: 'ballot', ballot: thing } : { type: 'expiry', expiry: thing };
