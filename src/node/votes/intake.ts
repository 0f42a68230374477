import { checkCertificate, decodeCertificate, type Trust } from '../../byzantine/certificate.ts';
import type { Digest } from '../../byzantine/digest.ts';
import { decodeSignedProposal, encodeSignedProposal } from '../../byzantine/encoding.ts';
import type { EpochConfiguration, MemberIndex } from '../../byzantine/epoch.ts';
import type { ProposalId } from '../../byzantine/proposal.ts';
import { invalidField } from '../../byzantine/proposal-validity.ts';
import type { FrameRecord } from '../../byzantine/records.ts';
import type { Boot } from './boot.ts';
import type { Certificates } from './certificates.ts';
import type { EarlyRecords, VoteWord } from './early-records.ts';
import type { Engines } from './engines.ts';
import type { EvidenceBook } from './evidence-book.ts';
import type { OpenVotes } from './open-votes.ts';
import type { Opinions } from './opinions.ts';
import type { Patience } from './patience.ts';
import type { VoteLinks } from './vote-links.ts';

const askForPolicyEveryMs = 500;

export interface IntakeParts {
  readonly trust: Trust;
  /** The members of an epoch, as far as this node has verified them. */
  readonly configurationOf: (epoch: number) => EpochConfiguration | undefined;
  readonly boot: Boot;
  readonly open: OpenVotes;
  readonly certificates: Certificates;
  readonly early: EarlyRecords;
  readonly engines: Engines;
  readonly opinions: Opinions;
  readonly evidence: EvidenceBook;
  readonly links: VoteLinks;
  readonly patience: Patience;
  readonly nowMs: () => number;
}

/** What other members say, sorted to the votes that it is about. It comes from members and may still be lies. */
export class Intake {
  readonly #parts: IntakeParts;
  /** What members said that no honest one says. */
  refused = 0;
  #policiesDueMs = 0;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  take(from: MemberIndex, record: FrameRecord): void {
    const { patience, nowMs } = this.#parts;
    patience.hear(from, nowMs(), () => this.#take(from, record));
  }

  #take(from: MemberIndex, record: FrameRecord): void {
    switch (record.type) {
      case 'proposal':
        return this.#onProposal(from, record.bytes);
      case 'certificate':
        return this.#onCertificate(from, record.bytes);
      case 'get':
        return this.#onGet(from, record.digest);
      case 'blob':
        return this.#onPayload(record.bytes);
      case 'policy':
        return this.#onPolicy(from, record.kinds, record.asks);
      case 'statement':
      case 'ballot':
      case 'expiry':
      case 'witness':
      case 'want':
      case 'attestation':
        return this.#onVote(from, idOf(record), record);
    }
  }

  /** A member is there, again or for the first time: it hears of this node's policy and of all open votes. */
  meet(member: MemberIndex): void {
    const { open, links, nowMs } = this.#parts;
    this.#askForPolicy(member);
    for (const instance of open) {
      links.answer(member, { type: 'proposal', bytes: encodeSignedProposal(instance.proposal) });
      instance.engine?.reconnected(member, nowMs());
      instance.arm(nowMs());
      open.touch(instance);
    }
  }

  /** Asks for what others speak of and is not here. */
  tick(nowMs: number): void {
    const { early, links, opinions } = this.#parts;
    if (nowMs >= this.#policiesDueMs) {
      this.#policiesDueMs = nowMs + askForPolicyEveryMs;
      for (const member of links.others()) if (links.knows(member) && !opinions.hasPolicyOf(member)) this.#askForPolicy(member);
    }
    early.tick(nowMs, (members, id) => {
      const record = { type: 'get', digest: id } as const;
      for (const member of members) links.push(member, record);
    });
  }

  /** Tells this node's, and asks for the member's: who has just started may not know this node's key yet, and so not read it. */
  #askForPolicy(member: MemberIndex): void {
    const { opinions, links } = this.#parts;
    links.push(member, { type: 'policy', kinds: opinions.policy, asks: true });
  }

  #onPolicy(from: MemberIndex, kinds: readonly string[], asks: boolean): void {
    const { opinions, links } = this.#parts;
    opinions.onPolicy(from, kinds);
    if (asks) links.answer(from, { type: 'policy', kinds: opinions.policy, asks: false });
  }

  #onProposal(from: MemberIndex, bytes: Uint8Array): void {
    const { trust, boot, open, certificates, opinions, early, nowMs } = this.#parts;
    const signed = decodeSignedProposal(trust.hashes, bytes);
    if (signed !== undefined && (open.has(signed.id) || certificates.has(signed.id))) return;
    if (signed === undefined) return this.#refuse(from);
    const { proposer, proposerSeq } = signed.proposal;
    if (proposerSeq <= boot.forgottenOf(signed.proposal) || !open.hasRoomFor(proposer, 0)) return;
    if (invalidField(signed, trust.configuration, trust.verify) !== undefined) return this.#refuse(from);
    const instance = open.begin(signed);
    if (!instance.isComplete) instance.arm(nowMs());
    opinions.consider(instance);
    for (const each of early.take(signed.id)) this.take(each.from, each.record);
  }

  #onCertificate(from: MemberIndex, bytes: Uint8Array): void {
    const { trust, open, certificates, early, engines } = this.#parts;
    const certificate = decodeCertificate(trust.hashes, bytes);
    if (certificate === undefined) return this.#refuse(from);
    const { id } = certificate.proposal;
    // Of a vote that nobody here wants to know about.
    if (certificates.has(id) || !(open.has(id) || early.has(id) || certificates.isSought(id))) return;
    // A vote of an earlier epoch is still sought by who was away.
    const configuration = this.#parts.configurationOf(certificate.attestation.epoch);
    if (configuration !== undefined && checkCertificate(certificate, { ...trust, configuration }).length === 0)
      engines.end({ certificate, bytes });
    else this.#refuse(from);
  }

  /** A digest names a vote or a payload. */
  #onGet(from: MemberIndex, wanted: Digest): void {
    const { open, certificates, links } = this.#parts;
    const certificate = certificates.bytesOf(wanted);
    if (certificate !== undefined) return links.answer(from, { type: 'certificate', bytes: certificate });
    const instance = open.get(wanted);
    if (instance !== undefined) {
      links.answer(from, { type: 'proposal', bytes: encodeSignedProposal(instance.proposal) });
      if (instance.attested !== undefined) links.answer(from, { type: 'attestation', attestation: instance.attested });
      return;
    }
    const payload = open.payload(wanted);
    if (payload !== undefined) links.answer(from, { type: 'blob', bytes: payload });
  }

  #onPayload(bytes: Uint8Array): void {
    for (const instance of this.#parts.open.hold(bytes)) this.#parts.opinions.consider(instance);
  }

  #onVote(from: MemberIndex, id: ProposalId, record: VoteWord): void {
    const { open, evidence, nowMs } = this.#parts;
    const instance = open.get(id);
    if (instance === undefined) return this.#onStranger(from, id, record);
    instance.heard.add(from);
    if (record.type === 'attestation') {
      const verdict = instance.attest(record.attestation);
      if (typeof verdict === 'object') evidence.add(verdict);
      else if (verdict === 'refused') this.#refuse(from);
      instance.arm(nowMs());
    } else if (instance.engine?.step(from, record, nowMs()).type === 'rejected') this.#refuse(from);
    open.touch(instance);
  }

  #refuse(from: MemberIndex): void {
    this.refused++;
    this.#parts.patience.spend(from);
  }

  /** Of a vote that is over here, or whose proposal hasn't come. */
  #onStranger(from: MemberIndex, id: ProposalId, record: VoteWord): void {
    const { certificates, early, links, nowMs } = this.#parts;
    const bytes = certificates.bytesOf(id);
    if (bytes === undefined) return early.add(from, id, record, nowMs());
    // Who only is a little behind has what it needs on the way; who asks again has not. Who has decided on others' word alone asks for nothing but a witness.
    if (record.type === 'want' || (record.type === 'statement' && record.asks)) links.answer(from, { type: 'certificate', bytes });
  }
}

function idOf(word: VoteWord): ProposalId {
  switch (word.type) {
    case 'ballot':
      return word.ballot.ballot.proposal;
    case 'expiry':
      return word.expiry.expiry.proposal;
    case 'witness':
      return word.witness.proposal;
    case 'attestation':
      return word.attestation.proposal;
    case 'statement':
    case 'want':
      return word.proposal;
  }
}
