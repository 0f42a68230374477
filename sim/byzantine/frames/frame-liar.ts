import type { SignedAttestation } from '../../../src/byzantine/attestation.ts';
import { Authenticator } from '../../../src/byzantine/authenticator.ts';
import { ByteWriter, digestOf } from '../../../src/byzantine/bytes.ts';
import { digest } from '../../../src/byzantine/digest.ts';
import { encodeCertificate } from '../../../src/byzantine/certificate.ts';
import { configurationDigest, encodeSignedProposal, proposalId, proposalMessage } from '../../../src/byzantine/encoding.ts';
import type { EpochConfiguration, MemberIndex } from '../../../src/byzantine/epoch.ts';
import { decodeFrame, tagBytes, toAll } from '../../../src/byzantine/frame.ts';
import { encodeAnnouncement, isAnnouncement } from '../../../src/byzantine/key-announcement.ts';
import type { ProposalId, SignedProposal } from '../../../src/byzantine/proposal.ts';
import type { FrameRecord } from '../../../src/byzantine/records.ts';
import { encodeRecord, packRecords } from '../../../src/byzantine/records.ts';
import { emptyBytes } from '../../../src/core/bytes.ts';
import { defined } from '../../../src/core/assert.ts';
import type { Random } from '../../../src/core/random.ts';
import { createAgreementKey, nodeHashes } from '../../../src/crypto/node.ts';
import { Liar } from '../liar.ts';
import type { Electorate } from './electorate.ts';
import type { Watcher } from './watcher.ts';
import { recordsIn } from './watcher.ts';

/** A frame on its way over the liar's own links. */
export interface Attack {
  readonly to: MemberIndex;
  readonly frame: Uint8Array;
  /** Why no honest node may act on it; undefined when one may. */
  readonly bad?: string;
  /** It comes twice: the second time nobody may act on it. */
  readonly twice?: boolean;
}

export interface FrameLiarParts {
  readonly member: MemberIndex;
  readonly electorate: Electorate;
  readonly random: Random;
  readonly watcher: Watcher;
  /** In which a member is. */
  readonly epochOf: (member: MemberIndex) => number;
}

/** Above every key and start that the member's own node has. */
const later = 2_000_000_000;
const maxHeard = 64;
const maxProposals = 2;
const someDigest = digest('5'.repeat(64));

/**
 * A member that lies in the bytes. Beside its node, whose frames it holds back, spoils and withholds payloads from, it has a voice of its own under another key,
 * which it tells to some members only: these hear the voice and no longer the node. The voice says what a `Liar` makes up, signs what it must not, forges,
 * replays and floods.
 */
export class FrameLiar {
  readonly #parts: FrameLiarParts;
  readonly #configuration: EpochConfiguration;
  /** By epoch; all have one key. */
  readonly #voices: readonly Authenticator[];
  /** Of an epoch that isn't. */
  readonly #foreign: Authenticator;
  readonly #believers: ReadonlySet<MemberIndex>;
  /** Get no payload from it. */
  readonly #starved: ReadonlySet<MemberIndex>;
  readonly #brains = new Map<ProposalId, Liar>();
  /** Frames that honest members sent, and to whom. */
  readonly #heard: { readonly from: MemberIndex; readonly to: MemberIndex; readonly frame: Uint8Array }[] = [];
  readonly #said: Uint8Array[] = [];
  #proposals = 0;

  constructor(parts: FrameLiarParts) {
    const { member, electorate, random } = parts;
    this.#parts = parts;
    const { hashes, verify, configuration } = electorate.trust;
    this.#configuration = configuration;
    const options = { hashes, verify, sign: electorate.keyOf(member).sign, self: member, boot: later };
    const ownKey = { key: createAgreementKey(), generation: later };
    this.#voices = [0, 1, 2].map((epoch) => new Authenticator({ ...options, configuration: electorate.configurationOf(epoch), ownKey }));
    this.#foreign = new Authenticator({ ...options, configuration: { ...configuration, epoch: 99 }, ownKey });
    const some = (): Set<MemberIndex> => new Set(this.#others.filter(() => random.below(2) === 0));
    this.#believers = some();
    this.#starved = some();
  }

  /** What becomes of a frame of its own node; undefined: nothing. */
  onWay(to: MemberIndex, frame: Uint8Array): Attack | undefined {
    const kind = this.#below(20);
    if (kind < 2) return undefined;
    if (this.#starved.has(to) && recordsIn(frame, this.#configuration.members.length).some(({ type }) => type === 'blob')) return undefined;
    if (kind < 3 && !isAnnouncement(frame)) return this.#spoiled(to, frame);
    return { to, frame };
  }

  /** Sees what honest members send, to anybody, and hears what is for itself. */
  hear(from: MemberIndex, to: MemberIndex, frame: Uint8Array): void {
    if (isAnnouncement(frame)) {
      for (const voice of this.#voices) voice.learn(frame, 0);
      this.#foreign.learn(frame, 0);
      return;
    }
    const heard = { from, to, frame };
    if (this.#heard.length < maxHeard) this.#heard.push(heard);
    else this.#heard[this.#below(maxHeard)] = heard;
  }

  /** Something unasked for; `mayOpen`: also new votes. */
  mischief(mayOpen: boolean): Attack[] {
    const to = this.#pick(this.#others) ?? 0;
    switch (this.#below(20)) {
      case 0:
        return [...this.#believers].map((believer) => ({ to: believer, frame: this.#voiceFor(believer).announcement() }));
      case 1:
        return this.#say(to, [this.#anything()]).map((attack) => this.#spoiled(to, attack.frame));
      case 2:
        return this.#toSomeOnly();
      case 3:
        return this.#ofOthers(to);
      case 4:
        return this.#say(to, [this.#anything()]).flatMap(({ frame }) =>
          this.#others.flatMap((other) => (other === to ? [] : [{ to: other, frame, bad: 'is for another member' }])),
        );
      case 5:
        return this.#heard.flatMap((heard) =>
          heard.to === this.#parts.member ? [{ to: heard.from, frame: heard.frame, bad: 'it sent itself' }] : [],
        );
      case 6:
        return this.#seal(this.#foreign, to, [this.#anything()]).map((attack) => ({ ...attack, bad: 'is of another epoch' }));
      case 7:
        return this.#say(to, [this.#anything()]).map((attack) => ({ ...attack, twice: true }));
      case 8:
        return this.#said.length === 0 ? [] : [{ to, frame: this.#pick(this.#said) ?? emptyBytes }];
      case 9:
        return [{ to, frame: this.#announcementOf(to) }];
      case 10:
        return this.#everybody((vote) => [this.#attestation(vote), this.#attestation(vote)]);
      case 11:
        return this.#everybody((vote) => [this.#certificate(vote)]);
      case 12:
        return mayOpen && this.#proposals++ < maxProposals ? this.#sayAll([this.#proposal(this.#below(2) === 0)]) : [];
      case 13:
        return this.#sayBytes(to, this.#secondEncoding()).map((attack) => ({ ...attack, bad: 'has a record in a second encoding' }));
      case 14:
        return this.#say(
          to,
          Array.from({ length: 40 }, () => this.#anything()),
        );
      case 15:
        return this.#everybody((vote) => [{ type: 'proposal', bytes: encodeSignedProposal(vote) }]);
      default:
        return this.#lie();
    }
  }

  /** Of the epoch in which the member is, or of any. */
  #voiceFor(member: MemberIndex): Authenticator {
    const epoch = this.#below(8) === 0 ? this.#below(this.#voices.length) : this.#parts.epochOf(member);
    return defined(this.#voices[epoch], 'it has a voice for every epoch');
  }

  get #others(): MemberIndex[] {
    return this.#configuration.members.flatMap((_, member) => (member === this.#parts.member ? [] : [member]));
  }

  /** What a liar without frames would say of one of the votes. */
  #lie(): Attack[] {
    const { electorate, watcher, member, random } = this.#parts;
    const [id, vote] = this.#pick([...watcher.votes]) ?? [];
    if (id === undefined || vote === undefined) return [];
    let brain = this.#brains.get(id);
    if (brain === undefined) {
      const firstLeader = Number.parseInt(id.slice(0, 8), 16);
      const sight = () => ({ statements: vote.statements, ballots: [...vote.ballots.values()] });
      brain = new Liar({ member, motion: vote.motion, firstLeader, random, seals: electorate, sight });
      this.#brains.set(id, brain);
    }
    return brain.mischief().flatMap(({ to, message }) => {
      if (to === member) return [];
      return this.#say(to, [message.type === 'statement' || message.type === 'want' ? { ...message, proposal: id } : message]);
    });
  }

  /** A frame for all that is right for some, for the tags of the others are spoiled. */
  #toSomeOnly(): Attack[] {
    const [payload] = packRecords([encodeRecord(this.#anything())]);
    const frame = this.#voiceFor(0).sealForAll(payload ?? emptyBytes);
    const { members } = this.#configuration;
    const attacks = this.#others.map((to): Attack => {
      if (this.#below(2) === 0) return { to, frame };
      const place = frame.length - (members.length - to) * tagBytes + this.#below(tagBytes);
      frame[place] = (frame[place] ?? 0) ^ (1 + this.#below(255));
      return { to, frame, bad: 'has a spoiled tag' };
    });
    return attacks;
  }

  /** A frame that an honest member sent to `to` comes again, over the liar's link. */
  #ofOthers(to: MemberIndex): Attack[] {
    return this.#heard.flatMap(({ from, to: receiver, frame }) => {
      const isOthers =
        receiver === to && from !== this.#parts.member && decodeFrame(frame, this.#configuration.members.length)?.header.to !== toAll;
      return isOthers ? [{ to, frame, bad: `member ${from} sent over another link` }] : [];
    });
  }

  #spoiled(to: MemberIndex, frame: Uint8Array): Attack {
    const copy = frame.slice();
    const at = this.#below(copy.length);
    // A frame that still claims to be one.
    const place = at < 2 ? copy.length - 1 : at;
    copy[place] = (copy[place] ?? 0) ^ (1 << this.#below(8));
    return { to, frame: copy, bad: `has a wrong bit at ${place} of ${copy.length}` };
  }

  /** A key in another's name. */
  #announcementOf(of: MemberIndex): Uint8Array {
    const { member, electorate } = this.#parts;
    const { cluster, members } = this.#configuration;
    const nodeId = members[of]?.nodeId ?? members[member]?.nodeId;
    if (nodeId === undefined) return emptyBytes;
    const { publicKey } = createAgreementKey();
    return encodeAnnouncement({ cluster, nodeId, generation: later + 1, boot: later + 1, publicKey }, electorate.keyOf(member).sign);
  }

  #everybody(records: (vote: SignedProposal) => FrameRecord[]): Attack[] {
    const { watcher } = this.#parts;
    const vote = this.#pick(watcher.proposals);
    return vote === undefined ? [] : this.#sayAll(records(vote));
  }

  #attestation(vote: SignedProposal): FrameRecord {
    return { type: 'attestation', attestation: this.#attested(vote, this.#parts.member, this.#outcome()) };
  }

  #attested({ id, proposal }: SignedProposal, member: MemberIndex, outcome: Uint8Array): SignedAttestation {
    const { electorate } = this.#parts;
    const { cluster, epoch } = proposal;
    const configuration = configurationDigest(nodeHashes, electorate.configurationOf(epoch));
    const attestation = { cluster, epoch, configuration, proposal: id, outcome };
    // Only in its own name, whoever it says it is.
    return { proposal: id, member, outcome, signature: electorate.sign(this.#parts.member, { type: 'attestation', attestation }) };
  }

  /** Of a decision that wasn't: its own signature in everybody's name, or alone. */
  #certificate(vote: SignedProposal): FrameRecord {
    const { members } = this.#configuration;
    const outcome = this.#outcome();
    const isAlone = this.#below(2) === 0;
    const signers = members.flatMap((_, member) => (isAlone && member !== this.#parts.member ? [] : [member]));
    const bytes = encodeCertificate({
      attestation: {
        cluster: vote.proposal.cluster,
        epoch: vote.proposal.epoch,
        configuration: configurationDigest(nodeHashes, this.#parts.electorate.configurationOf(vote.proposal.epoch)),
        proposal: vote.id,
        outcome,
      },
      memberCount: members.length,
      attesters: signers.map((member) => ({ member, signature: this.#attested(vote, member, outcome).signature })),
      proposal: vote,
      ballots: [],
    });
    return { type: 'certificate', bytes };
  }

  #outcome(): Uint8Array {
    return Uint8Array.of([0, 1, 254, 255][this.#below(4)] ?? 0);
  }

  /** A vote of its own, whose payload nobody has, or one in the name of another. */
  #proposal(isForged: boolean): FrameRecord {
    const { member, electorate } = this.#parts;
    const { cluster, members } = this.#configuration;
    const epoch = this.#parts.epochOf(this.#below(members.length));
    const proposer = isForged ? (this.#pick(this.#others) ?? member) : member;
    const proposal = {
      cluster,
      epoch,
      kind: 'decision',
      items: [{ subject: 'a lie', payloadDigest: digestOf(nodeHashes.sha256(Uint8Array.of(this.#below(256)))) }],
      options: ['a', 'b'],
      minSupport: members.length,
      proposer,
      proposerSeq: later * 1000 + this.#below(1000),
      timeoutMs: 100 + this.#below(400),
      notAfterMs: later * 2000,
    };
    const id = proposalId(nodeHashes, proposal);
    return {
      type: 'proposal',
      bytes: encodeSignedProposal({ id, proposal, signature: electorate.keyOf(member).sign(proposalMessage(id)) }),
    };
  }

  /** A question, or a payload that nobody asked for. */
  #anything(): FrameRecord {
    const { watcher } = this.#parts;
    const vote = this.#pick(watcher.proposals);
    if (vote === undefined || this.#below(4) === 0) return { type: 'blob', bytes: new Uint8Array(this.#below(64)) };
    return { type: 'get', digest: this.#below(2) === 0 ? vote.id : (vote.proposal.items[0]?.payloadDigest ?? vote.id) };
  }

  /** A statement that names a value and doesn't use it. */
  #secondEncoding(): Uint8Array {
    const writer = new ByteWriter().u8(1).digest(someDigest).flag(false).bytes8(emptyBytes).bytes8(emptyBytes).flag(false);
    writer.u32(1).u32(1).u32(0).u32(0).u8(1).digest(someDigest);
    for (let place = 0; place < 12; place++) writer.u8(255);
    return writer.finish();
  }

  #sayAll(records: readonly FrameRecord[]): Attack[] {
    return this.#others.flatMap((to) => this.#say(to, records));
  }

  #say(to: MemberIndex, records: readonly FrameRecord[]): Attack[] {
    const attacks = this.#believers.has(to) ? this.#seal(this.#voiceFor(to), to, records) : [];
    for (const { frame } of attacks) {
      if (this.#said.length < maxHeard) this.#said.push(frame);
      else this.#said[this.#below(maxHeard)] = frame;
    }
    return attacks;
  }

  #sayBytes(to: MemberIndex, record: Uint8Array): Attack[] {
    return this.#believers.has(to) ? this.#sealBytes(this.#voiceFor(to), to, [record]) : [];
  }

  #seal(by: Authenticator, to: MemberIndex, records: readonly FrameRecord[]): Attack[] {
    return this.#sealBytes(by, to, records.map(encodeRecord));
  }

  #sealBytes(by: Authenticator, to: MemberIndex, records: readonly Uint8Array[]): Attack[] {
    return packRecords(records).flatMap((payload) => {
      const frame = by.seal(to, payload);
      return frame === undefined ? [] : [{ to, frame }];
    });
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#below(from.length)];
  }

  #below(bound: number): number {
    return bound === 0 ? 0 : this.#parts.random.below(bound);
  }
}
