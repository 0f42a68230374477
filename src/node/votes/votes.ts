import type { SignedAttestation, Signable } from '../../byzantine/attestation.ts';
import { maxBatch, signBatch } from '../../byzantine/attestation.ts';
import { Authenticator } from '../../byzantine/authenticator.ts';
import type { Ballot, Expiry } from '../../byzantine/ballot.ts';
import { digestOf } from '../../byzantine/bytes.ts';
import { type Certificate, checkCertificate, decodeCertificate, encodeCertificate, type Trust } from '../../byzantine/certificate.ts';
import type { AgreementKey, Hashes, Sign, VerifySignature } from '../../byzantine/crypto.ts';
import { type Digest, digest } from '../../byzantine/digest.ts';
import { decodeSignedProposal, encodeSignedProposal, proposalId, proposalMessage } from '../../byzantine/encoding.ts';
import { Engine } from '../../byzantine/engine.ts';
import type { EpochConfiguration, MemberIndex } from '../../byzantine/epoch.ts';
import type { Evidence } from '../../byzantine/evidence.ts';
import { memberNotary, rememberSignatures } from '../../byzantine/member-notary.ts';
import type { ByzantineMessage } from '../../byzantine/messages.ts';
import type { Motion } from '../../byzantine/motion.ts';
import type { Notary } from '../../byzantine/notary.ts';
import { type Proposal, type ProposalId, proposalLimits, type SignedProposal } from '../../byzantine/proposal.ts';
import { invalidField } from '../../byzantine/proposal-validity.ts';
import { byzantineQuorum, faultTolerance } from '../../byzantine/quorum.ts';
import { emptyMemory, type Memory } from '../../byzantine/ready.ts';
import type { FrameRecord } from '../../byzantine/records.ts';
import { assert, defined } from '../../core/assert.ts';
import { copyBytes } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { failure } from '../../core/errors.ts';
import type { NodeId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { VoteChange, VoteRecord, VoteStore } from '../../storage/vote-store.ts';
import type { Answer } from '../service.ts';
import { Instance } from './instance.ts';
import { VoteLinks } from './vote-links.ts';
import {
  bootChange,
  type BootRecord,
  certificateChange,
  forgetCertificate,
  forgetInstance,
  memoryChanges,
  payloadChange,
  proposalChange,
  readVotes,
} from './vote-records.ts';
import type { EvidenceView, VoteRequest, VoteService, VoteView } from './vote-service.ts';
import { certifiedView, evidenceView, openView } from './vote-views.ts';

/** Votes that are open at a node, and of those by one proposer: who proposes without end fills its own share. */
const maxOpen = 4096;
const maxOpenPerProposer = 256;
/** Certificates kept; the oldest go first. */
const maxCertificates = 10_000;
/** Bytes of payloads of open votes. */
const maxPayloadBytes = 64 * 1024 * 1024;
/** Frames that wait for the turn, and their bytes; more are dropped, and said again. */
const maxInboxFrames = 8192;
const maxInboxBytes = 32 * 1024 * 1024;
/** Records of votes whose proposal is not here yet. */
const maxEarly = 4096;
/** A payload up to this size travels with its proposal; a larger one is asked for. */
const sentAlongBytes = 4096;
const maxSought = 256;
/** How long records wait for their proposal, and how often it is asked for. */
const earlyMs = 5000;
const askEveryMs = 200;
const maxEvidence = 256;
const keyLifeMs = 24 * 3_600_000;
/** What view 0 takes at least, and how many delays it has (nine in TetraBFT). */
const viewMs = { least: 150, delays: 9 };
const rememberedSignatures = 16_384;

export interface VotesOptions {
  readonly self: NodeId;
  readonly configuration: EpochConfiguration;
  /** Kinds that this node approves without asking anyone; `*` is all. */
  readonly autoApprove: readonly string[];
  /** The node's disk was lost since it last ran: it may have voted and not know it. */
  readonly hasLostStore: boolean;
}

/** The world as the votes need it. */
export interface VotePorts {
  send(to: NodeId, frame: Uint8Array): void;
  readonly store: VoteStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hashes: Hashes;
  readonly verify: VerifySignature;
  readonly sign: Sign;
  readonly createKey: () => AgreementKey;
  /** The member has been heard lately. */
  isReachable(node: NodeId): boolean;
  /** Runs the job soon, after what has already arrived: one turn serves all of it. */
  defer(job: () => void): void;
  onFatal(error: Error): void;
}

/** What came of a vote before its proposal did. */
interface Early {
  readonly records: { readonly from: MemberIndex; readonly record: FrameRecord }[];
  readonly sinceMs: number;
  askedMs: number;
}

interface Certified {
  readonly certificate: Certificate;
  readonly bytes: Uint8Array;
}

/**
 * One node's part in the Byzantine votes, without its sockets, files and clocks. It works in turns: a turn takes in what has arrived, lets the engines go on,
 * signs what they want signed with as few signatures as may be, makes everything durable in one write, and only then sends and answers.
 *
 * It never says what it would not say again after a restart; a node that lost its store does not vote in this epoch any more, and still learns what the
 * others decided. A certificate ends a vote here: it takes the place of all that was kept, and answers whoever is late.
 */
export class Votes implements VoteService {
  readonly configuration: EpochConfiguration;
  readonly #options: VotesOptions;
  readonly #ports: VotePorts;
  readonly #self: MemberIndex;
  readonly #trust: Trust;
  readonly #notary: Notary;
  readonly #authenticator: Authenticator;
  readonly #links: VoteLinks;
  readonly #instances = new Map<ProposalId, Instance>();
  /** Oldest first. */
  readonly #certificates = new Map<ProposalId, Certified>();
  readonly #early = new Map<ProposalId, Early>();
  #earlyCount = 0;
  /** Votes that a client asked for and that are not known here, the oldest first. */
  readonly #sought = new Set<ProposalId>();
  /** A vote that has the payload. */
  readonly #holders = new Map<Digest, ProposalId>();
  #payloadBytes = 0;
  #evidence: Evidence[] = [];
  readonly #dirty = new Set<Instance>();
  #changes: VoteChange[] = [];
  #afterSave: (() => void)[] = [];
  #inbox: { readonly from: MemberIndex; readonly bytes: Uint8Array }[] = [];
  #inboxBytes = 0;
  readonly #watchers = new Map<string, Set<() => void>>();
  #boot: BootRecord;
  #keyMs: number;
  #proposerSeq: number;
  /** A late peak of what a message and the write before it take. */
  #delayMs = 0;
  #hasBooted = false;
  #tickPending = false;
  #saving = false;
  #turnDeferred = false;
  #stopped = false;

  /** @throws Error when a stored record is not one that this program writes. */
  constructor(options: VotesOptions, ports: VotePorts, records: readonly VoteRecord[]) {
    const { configuration, self, hasLostStore } = options;
    const { hashes, clock } = ports;
    this.configuration = configuration;
    this.#options = options;
    this.#ports = ports;
    this.#self = configuration.members.findIndex(({ nodeId }) => nodeId === self);
    assert(this.#self >= 0, 'only a member of the epoch votes');
    const verify = rememberSignatures(ports.verify, rememberedSignatures);
    this.#trust = { hashes, verify, configuration };
    this.#notary = memberNotary(hashes, verify, configuration);
    const stored = readVotes(hashes, records);
    this.#boot = nextBoot(stored.boot, configuration, hasLostStore, Math.floor(clock.unixMs() / 1000));
    this.#changes.push(bootChange(this.#boot));
    this.#keyMs = clock.monotonicMs();
    this.#proposerSeq = this.#boot.forgotten[this.#self] ?? 0;
    const { boot, generation } = this.#boot;
    const ownKey = { key: ports.createKey(), generation };
    this.#authenticator = new Authenticator({ hashes, verify, sign: ports.sign, configuration, self: this.#self, ownKey, boot });
    this.#links = new VoteLinks({
      configuration,
      self: this.#self,
      authenticator: this.#authenticator,
      send: (to, frame) => ports.send(to, frame),
      onMet: (member) => this.#meet(member),
    });
    for (const { certificate, bytes } of stored.certificates.toSorted((a, b) => orderOf(a.certificate) - orderOf(b.certificate)))
      this.#certificates.set(certificate.proposal.id, { certificate, bytes });
    for (const { proposal, memory, payloads } of stored.instances) this.#resume(proposal, memory, payloads);
    if (!this.#boot.mayVote) ports.logger.warn({}, 'this node lost what it had voted: it does not vote again before the members change');
    this.#deferTurn();
  }

  // What happens to the node.

  /** A frame of a member, for which `isVoteFrame` holds. The bytes are only lent. */
  onFrame(node: NodeId, bytes: Uint8Array): void {
    const from = this.#links.memberOf(node);
    if (from === undefined || this.#stopped) return;
    if (this.#inbox.length >= maxInboxFrames || this.#inboxBytes + bytes.length > maxInboxBytes) return;
    this.#inbox.push({ from, bytes: copyBytes(bytes) });
    this.#inboxBytes += bytes.length;
    this.#deferTurn();
  }

  onLink(peer: NodeId, up: boolean): void {
    const member = this.#links.memberOf(peer);
    if (!up || member === undefined || !this.#hasBooted) return;
    this.#links.announce(member, this.#nowMs);
    if (this.#links.knows(member)) this.#meet(member);
    this.#deferTurn();
  }

  tick(): void {
    this.#tickPending = true;
    this.#deferTurn();
  }

  stop(): void {
    this.#stopped = true;
  }

  // What is asked of it.

  /** Puts a proposal to the members. Answers with its id once it is durable here; at once, and with nothing sent, when a quorum can't be reached. */
  open(request: VoteRequest, done: (answer: Answer<ProposalId>) => void): void {
    const refused = this.#refusal(request);
    if (refused !== undefined) return done({ ok: false, failure: refused });
    const proposal = this.#proposalOf(request);
    const id = proposalId(this.#ports.hashes, proposal);
    const signed: SignedProposal = { id, proposal, signature: this.#ports.sign(proposalMessage(id)) };
    const field = invalidField(signed, this.configuration, this.#trust.verify);
    if (field !== undefined)
      return done({ ok: false, failure: failure('invalid_argument', `body ${field}: not valid in this cluster`, { path: field, in: 'body' }) });
    const [item] = proposal.items;
    const payloads = new Map(item === undefined ? [] : [[item.payloadDigest, request.payload]]);
    const instance = this.#take(signed, payloads);
    this.#links.pushToAll({ type: 'proposal', bytes: encodeSignedProposal(signed) });
    if (request.payload.length > 0 && request.payload.length <= sentAlongBytes) this.#links.pushToAll({ type: 'blob', bytes: request.payload });
    this.#maybeApprove(instance);
    this.#afterSave.push(() => done({ ok: true, value: id }));
    this.#deferTurn();
  }

  /** Gives this node's one ballot. Answers once it is durable; a repeat of the same choice is answered alike. */
  cast(id: string, option: string, done: (answer: Answer<undefined>) => void): void {
    const instance = this.#instanceOf(id);
    const refuse = (code: Parameters<typeof failure>[0], detail: string): void => done({ ok: false, failure: failure(code, detail) });
    if (instance === undefined) {
      return this.#certificateOf(id) === undefined
        ? refuse('not_found', `there is no vote ${id}`)
        : refuse('wrong_state', 'the vote is over');
    }
    const { options } = instance.proposal.proposal;
    const choice = options.indexOf(option);
    if (choice < 0) return refuse('invalid_argument', `body choice: ${JSON.stringify(option)} is not one of ${options.join(', ')}`);
    if (instance.engine === undefined) return refuse('unavailable', 'this node lost what it had voted: it does not vote before the members change');
    if (instance.missing.length > 0) return refuse('unavailable', 'what the vote is about has not arrived here yet');
    if (instance.choice === undefined && !this.#cast(instance, choice)) return refuse('already_voted', 'this node has cast its ballot');
    if (!instance.hasChosen(choice)) return refuse('already_voted', `this node has voted ${options[instance.choice ?? 0] ?? 'otherwise'}`);
    this.#afterSave.push(() => done({ ok: true, value: undefined }));
    this.#deferTurn();
    return undefined;
  }

  list(limit: number): readonly VoteView[] {
    const open = [...this.#instances.values()].toReversed().slice(0, limit);
    const certified = [...this.#certificates.values()].toReversed().slice(0, limit - open.length);
    return [
      ...open.map((instance) => openView(instance, this.configuration)),
      ...certified.map(({ certificate }) => certifiedView(certificate, this.configuration)),
    ];
  }

  view(id: string): VoteView | undefined {
    const certified = this.#certificateOf(id);
    if (certified !== undefined) return certifiedView(certified.certificate, this.configuration);
    const instance = this.#instanceOf(id);
    return instance && openView(instance, this.configuration);
  }

  /** Asks the other members for a vote that isn't known here: it may have been decided while this node was away. */
  seek(id: string): void {
    if (!isDigest(id) || this.view(id) !== undefined) return;
    const wanted = digest(id);
    const [oldest] = this.#sought;
    if (this.#sought.size >= maxSought && oldest !== undefined) this.#sought.delete(oldest);
    this.#sought.add(wanted);
    this.#links.pushToAll({ type: 'get', digest: wanted });
    this.#deferTurn();
  }

  evidence(): readonly EvidenceView[] {
    return this.#evidence.map((each) => evidenceView(each, this.configuration));
  }

  /** Calls back, later, once the vote has a certificate; returns what takes the wish back. */
  onCertified(id: string, listener: () => void): () => void {
    if (this.#certificateOf(id) !== undefined) {
      this.#ports.defer(listener);
      return () => {};
    }
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers.add(listener));
    return () => {
      watchers.delete(listener);
      if (watchers.size === 0) this.#watchers.delete(id);
    };
  }

  /** Frames that were refused, for metrics. */
  get refusedFrames(): number {
    return this.#links.refused;
  }

  get openVotes(): number {
    return this.#instances.size;
  }

  // Turns.

  get #nowMs(): number {
    return this.#ports.clock.monotonicMs();
  }

  #deferTurn(): void {
    if (this.#turnDeferred || this.#stopped) return;
    this.#turnDeferred = true;
    this.#ports.defer(() => {
      this.#turnDeferred = false;
      if (!this.#saving) this.#guard(() => this.#turn());
    });
  }

  #guard(job: () => void): void {
    if (this.#stopped) return;
    try {
      job();
    } catch (error) {
      this.#stopped = true;
      this.#ports.onFatal(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #turn(): void {
    const startedMs = this.#nowMs;
    for (const { from, bytes } of this.#inbox.splice(0)) {
      const opened = this.#hasBooted ? this.#links.open(from, bytes, startedMs) : undefined;
      for (const record of opened?.records ?? []) this.#onRecord(from, record);
    }
    this.#inboxBytes = 0;
    if (this.#tickPending) {
      this.#tickPending = false;
      this.#onTick(startedMs);
    }
    this.#runEngines();
    const [changes, outgoing, afterSave] = [this.#changes, this.#links.takeOutgoing(), this.#afterSave];
    this.#changes = [];
    this.#afterSave = [];
    const finish = (): void => {
      this.#delayMs = Math.max(0.99 * this.#delayMs, this.#nowMs - startedMs);
      if (this.#hasBooted) this.#links.send(outgoing);
      else this.#booted();
      for (const job of afterSave) job();
    };
    if (changes.length === 0) return finish();
    this.#saving = true;
    this.#ports.store.saveVotes(changes, (error) => {
      if (this.#stopped) return;
      if (error !== undefined) {
        this.#stopped = true;
        return this.#ports.onFatal(error);
      }
      this.#guard(() => {
        this.#saving = false;
        finish();
        this.#deferTurn();
      });
    });
    return undefined;
  }

  /** The boot is counted durably: from now on frames may leave. */
  #booted(): void {
    this.#hasBooted = true;
    this.#links.announceToAll();
  }

  /** Lets every engine that has something to do go on until none has; gathers what is to be saved and sent. */
  #runEngines(): void {
    const memories = new Map<Instance, Memory>();
    while (this.#dirty.size > 0) {
      const toSign: { readonly instance: Instance; readonly thing: Signable }[] = [];
      const instances = [...this.#dirty];
      this.#dirty.clear();
      for (const instance of instances) {
        const ready = instance.engine?.takeReady();
        if (ready === undefined) continue;
        if (ready.save !== undefined) memories.set(instance, ready.save);
        for (const thing of ready.toSign) toSign.push({ instance, thing: signableOf(thing) });
        for (const { to, message } of ready.messages) this.#links.push(to, message, () => recordOf(instance.proposal.id, message));
        this.#keepEvidence(ready.evidence);
        if (ready.decided !== undefined) toSign.push({ instance, thing: { type: 'attestation', attestation: instance.decide(ready.decided) } });
        if (ready.breach !== undefined)
          this.#ports.logger.error({ vote: instance.proposal.id }, 'two outcomes of a vote have both been decided: more members lie than may');
      }
      for (let from = 0; from < toSign.length; from += maxBatch) this.#sign(toSign.slice(from, from + maxBatch));
      for (const instance of instances) this.#maybeCertify(instance, false);
    }
    for (const [instance, memory] of memories) {
      // With a certificate there is nothing left to remember.
      if (this.#instances.has(instance.proposal.id)) this.#changes.push(...memoryChanges(instance.proposal.id, memory, instance.savedWitnesses));
    }
  }

  #sign(batch: readonly { readonly instance: Instance; readonly thing: Signable }[]): void {
    const signatures = signBatch(
      this.#ports.hashes,
      this.#ports.sign,
      batch.map(({ thing }) => thing),
    );
    for (const [i, { instance, thing }] of batch.entries()) {
      const signature = defined(signatures[i], 'a batch has a signature for each thing');
      if (thing.type === 'ballot') instance.engine?.signed({ ballot: thing.ballot, signature }, this.#nowMs);
      else if (thing.type === 'expiry') instance.engine?.signed({ expiry: thing.expiry, signature }, this.#nowMs);
      else this.#attest(instance, { proposal: instance.proposal.id, member: this.#self, outcome: thing.attestation.outcome, signature });
      this.#dirty.add(instance);
    }
  }

  #attest(instance: Instance, attestation: SignedAttestation): void {
    instance.attested = attestation;
    instance.attest(attestation);
    instance.arm(this.#nowMs);
    this.#links.pushToAll({ type: 'attestation', attestation });
  }

  // Frames.

  #onRecord(from: MemberIndex, record: FrameRecord): void {
    switch (record.type) {
      case 'proposal':
        return this.#onProposal(record.bytes);
      case 'certificate':
        return this.#onCertificate(record.bytes);
      case 'get':
        return this.#onGet(from, record.digest);
      case 'blob':
        return this.#onPayload(record.bytes);
      default:
        return this.#onVote(from, idOf(record), record);
    }
  }

  #onVote(from: MemberIndex, id: ProposalId, record: FrameRecord): void {
    const instance = this.#instances.get(id);
    if (instance === undefined) return this.#onStranger(from, id, record);
    if (record.type === 'attestation') {
      const verdict = instance.attest(record.attestation);
      if (typeof verdict === 'object') this.#keepEvidence([verdict]);
      instance.arm(this.#nowMs);
    } else {
      const message = messageOf(record);
      if (message === undefined) return;
      instance.engine?.step(from, message, this.#nowMs);
    }
    this.#dirty.add(instance);
  }

  /** Of a vote that is over here, or whose proposal hasn't come. */
  #onStranger(from: MemberIndex, id: ProposalId, record: FrameRecord): void {
    const certified = this.#certificates.get(id);
    if (certified !== undefined) {
      // Who only is a little behind has what it needs on the way; who asks again has not.
      if (record.type === 'statement' && record.asks) this.#links.answer(from, { type: 'certificate', bytes: certified.bytes });
      return;
    }
    if (this.#earlyCount >= maxEarly) this.#takeEarly([...this.#early.keys()][0]);
    this.#earlyCount++;
    const waiting = this.#early.get(id);
    // The proposal is most likely on its way from its proposer: it is asked for when it still isn't here after a moment.
    if (waiting === undefined) this.#early.set(id, { records: [{ from, record }], sinceMs: this.#nowMs, askedMs: this.#nowMs });
    else waiting.records.push({ from, record });
  }

  #takeEarly(id: ProposalId | undefined): Early['records'] {
    const early = id && this.#early.get(id);
    if (id === undefined || early === undefined) return [];
    this.#early.delete(id);
    this.#earlyCount -= early.records.length;
    return early.records;
  }

  #askForProposals(nowMs: number): void {
    for (const [id, early] of this.#early) {
      if (nowMs - early.sinceMs > earlyMs) this.#takeEarly(id);
      if (nowMs - early.askedMs < askEveryMs) continue;
      early.askedMs = nowMs;
      for (const member of new Set(early.records.map(({ from }) => from))) this.#links.push(member, early, () => ({ type: 'get', digest: id }));
    }
  }

  #onProposal(bytes: Uint8Array): void {
    const signed = decodeSignedProposal(this.#ports.hashes, bytes);
    if (signed === undefined || this.#instances.has(signed.id) || this.#certificates.has(signed.id)) return;
    if (invalidField(signed, this.configuration, this.#trust.verify) !== undefined) return;
    const { proposer, proposerSeq } = signed.proposal;
    if (proposerSeq <= (this.#boot.forgotten[proposer] ?? 0) || !this.#hasRoomFor(proposer)) return;
    const instance = this.#take(signed, new Map());
    if (instance.missing.length > 0) instance.arm(this.#nowMs);
    this.#maybeApprove(instance);
    for (const { from, record } of this.#takeEarly(signed.id)) this.#onVote(from, signed.id, record);
  }

  #onCertificate(bytes: Uint8Array): void {
    const certificate = decodeCertificate(this.#ports.hashes, bytes);
    const instance = certificate && this.#instances.get(certificate.proposal.id);
    if (certificate === undefined) return;
    const { id } = certificate.proposal;
    // Of a vote that nobody here wants to know about.
    if (this.#certificates.has(id) || (instance === undefined && !this.#early.has(id) && !this.#sought.has(id))) return;
    if (checkCertificate(certificate, this.#trust).length > 0) return;
    this.#certify(certificate, bytes, instance);
  }

  #onGet(from: MemberIndex, wanted: Digest): void {
    const certified = this.#certificates.get(wanted);
    if (certified !== undefined) return this.#links.answer(from, { type: 'certificate', bytes: certified.bytes });
    const instance = this.#instances.get(wanted);
    if (instance !== undefined) {
      this.#links.answer(from, { type: 'proposal', bytes: encodeSignedProposal(instance.proposal) });
      if (instance.attested !== undefined) this.#links.answer(from, { type: 'attestation', attestation: instance.attested });
      return;
    }
    const holder = this.#holders.get(wanted);
    const payload = holder && this.#instances.get(holder)?.payloads.get(wanted);
    if (payload !== undefined) this.#links.answer(from, { type: 'blob', bytes: payload });
  }

  #onPayload(bytes: Uint8Array): void {
    const found = digestOf(this.#ports.hashes.sha256(bytes));
    for (const instance of this.#instances.values()) {
      if (instance.payloads.has(found) || !instance.missing.includes(found)) continue;
      if (this.#payloadBytes + bytes.length > maxPayloadBytes) return;
      this.#hold(instance, found, bytes);
      this.#maybeApprove(instance);
    }
  }

  /** A member is there, again or for the first time: it hears of all open votes. */
  #meet(member: MemberIndex): void {
    for (const instance of this.#instances.values()) {
      this.#links.answer(member, { type: 'proposal', bytes: encodeSignedProposal(instance.proposal) });
      instance.engine?.reconnected(member, this.#nowMs);
      instance.arm(this.#nowMs);
      this.#dirty.add(instance);
    }
    this.#deferTurn();
  }

  // Time.

  #onTick(nowMs: number): void {
    this.#links.tick(nowMs);
    if (nowMs - this.#keyMs >= keyLifeMs) this.#rotate(nowMs);
    this.#askForProposals(nowMs);
    for (const instance of this.#instances.values()) {
      if ((instance.engine?.wakeAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
        instance.engine?.tick(nowMs);
        this.#dirty.add(instance);
      }
      if (instance.remindAtMs <= nowMs) this.#remind(instance, nowMs);
    }
  }

  #remind(instance: Instance, nowMs: number): void {
    if (this.#maybeCertify(instance, true)) return;
    instance.reminded(nowMs);
    const others = this.#links.others();
    const asked = others[instance.reminders % others.length];
    for (const missing of instance.missing) if (asked !== undefined) this.#links.push(asked, {}, () => ({ type: 'get', digest: missing }));
    if (instance.attested !== undefined) this.#links.pushToAll({ type: 'attestation', attestation: instance.attested });
    if (instance.attested !== undefined || instance.engine === undefined) this.#links.pushToAll({ type: 'get', digest: instance.proposal.id });
    else if (instance.missing.length === 0 && !instance.hasAttestations) instance.remindAtMs = Number.POSITIVE_INFINITY;
  }

  #rotate(nowMs: number): void {
    this.#keyMs = nowMs;
    const generation = Math.max(this.#boot.generation + 1, Math.floor(this.#ports.clock.unixMs() / 1000));
    this.#boot = { ...this.#boot, generation };
    this.#changes.push(bootChange(this.#boot));
    this.#afterSave.push(() => {
      this.#authenticator.rotate({ key: this.#ports.createKey(), generation }, this.#nowMs);
      this.#links.announceToAll();
    });
  }

  // Instances.

  #engineFor(signed: SignedProposal, memory: Memory | undefined): ((motion: Motion) => Engine) | undefined {
    if (!this.#boot.mayVote) return undefined;
    return (motion) =>
      new Engine(
        {
          motion,
          self: this.#self,
          boot: this.#boot.boot,
          notary: this.#notary,
          timeoutMs: signed.proposal.timeoutMs,
          viewMs: () => Math.max(viewMs.least, viewMs.delays * this.#delayMs),
          ...(memory === undefined ? {} : { memory }),
        },
        this.#nowMs,
      );
  }

  #resume(signed: SignedProposal, memory: Memory | undefined, payloads: ReadonlyMap<Digest, Uint8Array>): void {
    const remembered = memory ?? emptyMemory(this.#boot.boot);
    const instance = this.#makeInstance(
      signed,
      payloads,
      remembered.witnesses.map(({ value }) => value),
      this.#engineFor(signed, remembered),
    );
    instance.choice = remembered.ballot?.ballot.choices[0];
    instance.arm(this.#nowMs);
    this.#maybeApprove(instance);
  }

  /** Begins a new instance, to be durable with this turn. */
  #take(signed: SignedProposal, payloads: ReadonlyMap<Digest, Uint8Array>): Instance {
    this.#changes.push(proposalChange(signed));
    const instance = this.#makeInstance(signed, new Map(), [], this.#engineFor(signed, undefined));
    for (const [name, payload] of payloads) this.#hold(instance, name, payload);
    return instance;
  }

  #makeInstance(
    signed: SignedProposal,
    payloads: ReadonlyMap<Digest, Uint8Array>,
    witnesses: readonly Digest[],
    engineOf: ((motion: Motion) => Engine) | undefined,
  ): Instance {
    const instance = new Instance(signed, this.#trust, payloads, witnesses, engineOf);
    this.#instances.set(signed.id, instance);
    this.#payloadBytes += instance.payloadBytes;
    for (const name of payloads.keys()) this.#holders.set(name, signed.id);
    const empty = new Uint8Array(0);
    if (instance.missing.length > 0) {
      const nothing = digestOf(this.#ports.hashes.sha256(empty));
      if (instance.missing.includes(nothing)) instance.payloads.set(nothing, empty);
    }
    this.#dirty.add(instance);
    return instance;
  }

  #hold(instance: Instance, name: Digest, payload: Uint8Array): void {
    if (instance.payloads.has(name)) return;
    instance.payloads.set(name, payload);
    this.#holders.set(name, instance.proposal.id);
    this.#payloadBytes += payload.length;
    this.#changes.push(payloadChange(instance.proposal.id, name, payload));
  }

  #maybeApprove(instance: Instance): void {
    const { kind, options } = instance.proposal.proposal;
    const approve = options.indexOf('approve');
    const { autoApprove } = this.#options;
    if (approve < 0 || instance.missing.length > 0 || !(autoApprove.includes(kind) || autoApprove.includes('*'))) return;
    this.#cast(instance, approve);
  }

  #cast(instance: Instance, choice: number): boolean {
    const choices = new Uint8Array(instance.motion.items).fill(choice);
    if (instance.choice !== undefined || instance.engine?.cast(choices) !== true) return false;
    instance.choice = choice;
    this.#dirty.add(instance);
    return true;
  }

  #maybeCertify(instance: Instance, isLate: boolean): boolean {
    if (!this.#instances.has(instance.proposal.id)) return true;
    const certificate = instance.certificate(isLate);
    if (certificate === undefined) return false;
    this.#certify(certificate, encodeCertificate(certificate), instance);
    return true;
  }

  /** A vote is over. Its certificate takes the place of what was kept of it. */
  #certify(certificate: Certificate, bytes: Uint8Array, instance: Instance | undefined): void {
    const { id } = certificate.proposal;
    if (instance !== undefined) {
      this.#instances.delete(id);
      this.#dirty.delete(instance);
      this.#payloadBytes -= instance.payloadBytes;
      for (const name of instance.payloads.keys()) if (this.#holders.get(name) === id) this.#holders.delete(name);
      this.#changes.push(...forgetInstance(id, instance.savedWitnesses, instance.payloads.keys()));
    }
    this.#takeEarly(id);
    this.#sought.delete(id);
    this.#certificates.set(id, { certificate, bytes });
    this.#changes.push(certificateChange(id, bytes));
    const [oldest] = this.#certificates.values();
    if (this.#certificates.size > maxCertificates && oldest !== undefined) this.#forget(oldest.certificate);
    this.#afterSave.push(() => {
      for (const watcher of [...(this.#watchers.get(id) ?? [])]) watcher();
      this.#watchers.delete(id);
    });
  }

  /** A certificate makes room. Its proposal must not be voted on again if somebody brings it back. */
  #forget({ proposal: { id, proposal } }: Certificate): void {
    this.#certificates.delete(id);
    const forgotten = this.#boot.forgotten.map((seq, member) => (member === proposal.proposer ? Math.max(seq, proposal.proposerSeq) : seq));
    this.#boot = { ...this.#boot, forgotten };
    this.#changes.push(forgetCertificate(id), bootChange(this.#boot));
  }

  // Proposals.

  #refusal({ payload }: VoteRequest): ReturnType<typeof failure> | undefined {
    const { members } = this.configuration;
    const n = members.length;
    if (faultTolerance(n) === 0) return failure('byzantine_unavailable', `${n} members tolerate no liar; it takes at least 4`, { n });
    const reachable = members.filter(({ nodeId }, member) => member === this.#self || (this.#links.knows(member) && this.#ports.isReachable(nodeId)));
    const needed = byzantineQuorum(n);
    if (reachable.length < needed)
      return failure('no_quorum', `${reachable.length} of ${n} members can be reached and a decision takes ${needed}; nothing was sent`, {
        reachable: reachable.length,
        needed,
      });
    if (payload.length > proposalLimits.payloadBytes)
      return failure('too_large', `body payload: at most ${proposalLimits.payloadBytes} bytes`, { path: 'payload', in: 'body' });
    if (!this.#hasRoomFor(this.#self) || this.#payloadBytes + payload.length > maxPayloadBytes)
      return failure('overloaded', 'too many votes are open at this node');
    return undefined;
  }

  #hasRoomFor(proposer: MemberIndex): boolean {
    if (this.#instances.size >= maxOpen) return false;
    let own = 0;
    for (const { proposal } of this.#instances.values()) if (proposal.proposal.proposer === proposer) own++;
    return own < maxOpenPerProposer;
  }

  #proposalOf({ kind, subject, payload, options, minSupport, timeoutMs, validMs }: VoteRequest): Proposal {
    const { cluster, epoch, members } = this.configuration;
    const unixMs = this.#ports.clock.unixMs();
    this.#proposerSeq = Math.max(this.#proposerSeq + 1, unixMs);
    return {
      cluster,
      epoch,
      kind,
      items: [{ subject, payloadDigest: digestOf(this.#ports.hashes.sha256(payload)) }],
      options: options.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      minSupport: minSupport ?? byzantineQuorum(members.length),
      proposer: this.#self,
      proposerSeq: this.#proposerSeq,
      timeoutMs,
      notAfterMs: unixMs + validMs,
    };
  }

  #instanceOf(id: string): Instance | undefined {
    return isDigest(id) ? this.#instances.get(digest(id)) : undefined;
  }

  #certificateOf(id: string): Certified | undefined {
    return isDigest(id) ? this.#certificates.get(digest(id)) : undefined;
  }

  #keepEvidence(evidence: readonly Evidence[]): void {
    if (evidence.length === 0) return;
    for (const { kind, member, proposal } of evidence)
      this.#ports.logger.warn({ kind, member: this.configuration.members[member]?.nodeId, proposal }, 'a member contradicts itself');
    this.#evidence = [...this.#evidence, ...evidence].slice(-maxEvidence);
  }
}

/** Above every boot and generation before, also those that a lost disk forgot, as long as the wall clock is right. */
function nextBoot(before: BootRecord | undefined, { members }: EpochConfiguration, hasLostStore: boolean, unixSeconds: number): BootRecord {
  const boot = Math.max((before?.boot ?? 0) + 1, unixSeconds);
  return {
    boot,
    generation: Math.max((before?.generation ?? 0) + 1, boot),
    mayVote: before?.mayVote ?? !hasLostStore,
    forgotten: members.map((_, member) => before?.forgotten[member] ?? 0),
  };
}

const isDigest = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

const orderOf = ({ proposal }: Certificate): number => proposal.proposal.proposerSeq;

const signableOf = (thing: Ballot | Expiry): Signable => ('choices' in thing ? { type: 'ballot', ballot: thing } : { type: 'expiry', expiry: thing });

const recordOf = (proposal: ProposalId, message: ByzantineMessage): FrameRecord =>
  message.type === 'statement' || message.type === 'want' ? { ...message, proposal } : message;

const messageOf = (record: FrameRecord): ByzantineMessage | undefined => {
  switch (record.type) {
    case 'statement':
    case 'ballot':
    case 'expiry':
    case 'witness':
    case 'want':
      return record;
    default:
      return undefined;
  }
};

function idOf(record: Exclude<FrameRecord, { readonly type: 'proposal' | 'certificate' | 'get' | 'blob' }>): ProposalId {
  switch (record.type) {
    case 'ballot':
      return record.ballot.ballot.proposal;
    case 'expiry':
      return record.expiry.expiry.proposal;
    case 'witness':
      return record.witness.proposal;
    case 'attestation':
      return record.attestation.proposal;
    default:
      return record.proposal;
  }
}
