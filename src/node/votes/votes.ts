import { Authenticator } from '../../byzantine/authenticator.ts';
import type { Certificate } from '../../byzantine/certificate.ts';
import type { AgreementKey, Hashes, Sign, VerifySignature } from '../../byzantine/crypto.ts';
import type { EpochConfiguration, MemberIndex } from '../../byzantine/epoch.ts';
import type { Accusation } from '../../byzantine/evidence.ts';
import type { GuardedAction } from '../../byzantine/guard.ts';
import { memberNotary, rememberSignatures } from '../../byzantine/member-notary.ts';
import type { ProposalId } from '../../byzantine/proposal.ts';
import { expired, split } from '../../byzantine/witness.ts';
import { assert } from '../../core/assert.ts';
import { copyBytes } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { failure } from '../../core/errors.ts';
import type { LogIndex, NodeId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { VoteStore } from '../../storage/vote-store.ts';
import type { Answer } from '../service.ts';
import { Boot } from './boot.ts';
import { Bundler } from './bundler.ts';
import { Certificates } from './certificates.ts';
import { EarlyRecords } from './early-records.ts';
import { Engines } from './engines.ts';
import { EvidenceBook } from './evidence-book.ts';
import { Flush } from './flush.ts';
import type { Instance } from './instance.ts';
import { Intake } from './intake.ts';
import { NewVotes } from './new-votes.ts';
import { Pace } from './pace.ts';
import { OpenVotes } from './open-votes.ts';
import { Opinions } from './opinions.ts';
import { Patience } from './patience.ts';
import { VoteLinks } from './vote-links.ts';
import type { Renewals } from './renewals.ts';
import { Repeats } from './repeats.ts';
import type { Succession } from './successions.ts';
import type { HeldVotes, StoredInstance } from './vote-records.ts';
import type { OpenedVote, VoteNews, VoteQuestion, VoteRequest, VoteService, VoteView } from './vote-service.ts';
import { parseVoteName, type VoteName } from './vote-name.ts';
import { certifiedView, newsOf, openView } from './vote-views.ts';

/** Frames that wait for the turn, and their bytes; more are dropped, and said again. */
const maxInboxFrames = 8192;
const maxInboxBytes = 32 * 1024 * 1024;
const keyLifeMs = 24 * 3_600_000;
const rememberedSignatures = 16_384;
const opinionPrefix = 'opinion:';
/** Votes that one heartbeat asks about; the next one asks on. */
const maxQuestions = 16;

export interface VotesOptions {
  readonly self: NodeId;
  readonly configuration: EpochConfiguration;
  /** The index of the log where the epoch began; 0 when that is not known. */
  readonly from: LogIndex;
  /** The members of an epoch, as far as this node has verified them. */
  readonly configurationOf: (epoch: number) => EpochConfiguration | undefined;
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
  /** Votes began or ended here, durably. */
  onNews(news: VoteNews): void;
  /** Runs the job in so many milliseconds; with 0 soon, after what has already arrived: one turn serves all of it. */
  defer(job: () => void, ms: number): void;
  onFatal(error: Error): void;
}

/** What a node counts of its votes: since its start, but for `open`. */
export interface VoteCounters {
  readonly open: number;
  readonly decided: number;
  readonly noConsensus: number;
  /** Frames that were not understood or not authentic. */
  readonly framesRefused: number;
  /** What members said, authentically, that no honest one says. */
  readonly recordsRefused: number;
  /** Contradictions that are evidence. */
  readonly lies: number;
}

/**
 * One node's part in the Byzantine votes, without its sockets, files and clocks. It works in turns: a turn takes in what has arrived, lets the engines go on,
 * makes everything durable in one write, and only then sends and answers.
 *
 * It never says what it would not say again after a restart; a node that lost its store does not vote in this epoch any more, and still learns what the
 * others decided. A certificate ends a vote here: it takes the place of all that was kept, and answers whoever is late.
 */
export class Votes implements VoteService {
  readonly configuration: EpochConfiguration;
  readonly #configurationOf: (epoch: number) => EpochConfiguration | undefined;
  readonly #ports: VotePorts;
  readonly #flush = new Flush();
  readonly #boot: Boot;
  readonly #authenticator: Authenticator;
  readonly #links: VoteLinks;
  readonly #open: OpenVotes;
  readonly #certificates: Certificates;
  readonly #evidence: EvidenceBook;
  readonly #opinions: Opinions;
  readonly #engines: Engines;
  readonly #intake: Intake;
  readonly #newVotes: NewVotes;
  readonly #bundler: Bundler;
  readonly #renewals: Renewals;
  readonly #repeats: Repeats;
  #inbox: { readonly from: MemberIndex; readonly bytes: Uint8Array }[] = [];
  #inboxBytes = 0;
  #keyMs: number;
  readonly #pace = new Pace();
  readonly #ended = { decided: 0, noConsensus: 0 };
  #hasBooted = false;
  #tickPending = false;
  #saving = false;
  #turnDeferred = false;
  #stopped = false;
  #hasEnded = false;

  constructor(options: VotesOptions, ports: VotePorts, held: HeldVotes) {
    const { configuration, self: node, autoApprove } = options;
    const { hashes, clock, sign, logger } = ports;
    this.configuration = configuration;
    this.#configurationOf = options.configurationOf;
    this.#ports = ports;
    const self = configuration.members.findIndex(({ nodeId }) => nodeId === node);
    assert(self >= 0, 'only a member of the epoch votes');
    const patience = new Patience(ports.verify);
    const verify = rememberSignatures(patience.verify, rememberedSignatures);
    const trust = { hashes, verify, configuration };
    const notary = memberNotary(hashes, verify, configuration);
    const flush = this.#flush;
    const early = new EarlyRecords(configuration.members.length);
    const nowMs = (): number => clock.monotonicMs();
    flush.save(...held.changes);
    for (const job of held.afterSave) flush.afterSave(job);
    const boot = new Boot(held.boot, options, clock.unixMs(), flush);
    const ownKey = { key: ports.createKey(), generation: boot.generation };
    this.#authenticator = new Authenticator({ hashes, verify, sign, configuration, self, ownKey, boot: boot.number });
    const links = new VoteLinks({
      configuration,
      self,
      authenticator: this.#authenticator,
      send: (to, frame) => ports.send(to, frame),
      onMet: (member) => this.#meet(member),
    });
    const onBegun = (instance: Instance): void => ports.onNews(newsOf(instance.proposal));
    const open = new OpenVotes({ self, trust, notary, boot, flush, nowMs, viewMs: this.#pace.viewMs, onBegun });
    const certificates = new Certificates(hashes, held.certificates, boot, flush, (certificate) => this.#tellEnd(certificate));
    const evidence = new EvidenceBook(held.evidence, { configuration, configurationOf: options.configurationOf, logger, flush });
    const opinions = new Opinions({ autoApprove, trust, open, certificates, flush });
    const engines = new Engines({ self, hashes, sign, logger, open, certificates, early, evidence, links, flush, nowMs });
    this.#boot = boot;
    this.#keyMs = nowMs();
    this.#links = links;
    this.#open = open;
    this.#certificates = certificates;
    this.#evidence = evidence;
    this.#opinions = opinions;
    this.#engines = engines;
    const rooms = { trust, boot, open, opinions, links };
    const { configurationOf } = options;
    this.#intake = new Intake({ ...rooms, patience, configurationOf, certificates, early, engines, evidence, nowMs });
    this.#repeats = new Repeats(hashes, held.repeats, flush);
    const repeats = this.#repeats;
    this.#newVotes = new NewVotes({ ...rooms, self, sign, clock, flush, repeats, isReachable: (member) => ports.isReachable(member) });
    const defer = (job: () => void, ms: number): void => ports.defer(() => this.#guard(() => this.#inTurn(job)), ms);
    const onCertified = (vote: ProposalId, listener: () => void): void => void certificates.watch(vote, listener);
    this.#bundler = new Bundler({ opinions, newVotes: this.#newVotes, onCertified, defer });
    this.#renewals = held.renewals;
    for (const instance of held.instances) this.#resume(instance);
    for (const vote of held.again) this.#newVotes.renew(vote);
    if (!boot.mayVote) logger.warn({}, 'this node lost what it had voted: it does not vote again before the members change');
    this.#deferTurn();
  }

  #resume(stored: StoredInstance): void {
    const instance = this.#open.resume(stored);
    instance.arm(this.#nowMs);
    this.#opinions.consider(instance);
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

  /** The node lost its disk, and is not known to have been taken in again. */
  get isLost(): boolean {
    return this.#boot.isLost;
  }

  /** The node has been taken in again, after it had lost its disk. */
  recovered(commitIndex: LogIndex): void {
    this.#boot.recovered(commitIndex);
    this.#deferTurn();
  }

  /** The epoch is over: nothing is voted on any more. A write that is under way is still seen through; what it didn't take is for the next epoch to save. */
  end(): HeldVotes {
    this.#hasEnded = true;
    this.#bundler.end(failure('unavailable', 'the members have changed: ask again'));
    const ended = [...this.#open];
    for (const instance of ended) this.#open.end(instance);
    // Whoever waits looks again, in the next epoch.
    for (const watcher of this.#certificates.takeWatchers()) this.#ports.defer(watcher, 0);
    const { changes, afterSave } = this.#flush.take();
    return {
      renewals: this.#renewals,
      repeats: this.#repeats.all(),
      ended,
      again: [],
      boot: this.#boot.record,
      instances: [],
      certificates: this.#certificates.all(),
      evidence: this.#evidence.all(),
      changes,
      afterSave,
    };
  }

  // What is asked of it.

  /**
   * Puts a proposal to the members. Answers once it is durable here; at once, and with nothing sent, when a quorum can't be reached. A repeat under the same
   * `key` names the same vote, which is then no part of a bundle.
   */
  open(request: VoteRequest, key: string | undefined, done: (answer: Answer<OpenedVote>) => void): void {
    if (request.mayBundle === true && key === undefined) this.#bundler.add(request, done);
    else this.#newVotes.open(request, key, done);
    this.#deferTurn();
  }

  /** Gives this node's one ballot. Answers once it is durable; a repeat of the same choice is answered alike. */
  cast(id: string, option: string, done: (answer: Answer<undefined>) => void): void {
    const proposal = this.#named(id)?.proposal;
    if (proposal === undefined) return done({ ok: false, failure: failure('not_found', `there is no vote ${id}`) });
    this.#opinions.cast(proposal, option, done);
    this.#deferTurn();
  }

  /** What an agent with these capabilities is to be asked: `opinion:KIND` makes it a judge of the kind for its node. */
  questionsFor(capabilities: readonly string[]): readonly VoteQuestion[] {
    const kinds = capabilities.filter((name) => name.startsWith(opinionPrefix)).map((name) => name.slice(opinionPrefix.length));
    return kinds.length === 0 ? [] : this.#opinions.questions(new Set(kinds), maxQuestions);
  }

  /** How far the members are with a change of themselves. */
  succession(action: GuardedAction): Succession {
    return this.#opinions.succession(action);
  }

  list(limit: number): readonly VoteView[] {
    const open = [...this.#open].toReversed().slice(0, limit);
    const certified = this.#certificates.newest(limit - open.length);
    return [
      ...open.flatMap((instance) => instance.proposal.proposal.items.map((_, item) => openView(instance, this.configuration, item))),
      ...certified.flatMap((certificate) => {
        const configuration = this.configurationOf(certificate.attestation.epoch);
        return certificate.proposal.proposal.items.map((_, item) => certifiedView(certificate, configuration, item));
      }),
    ].slice(0, limit);
  }

  view(id: string): VoteView | undefined {
    const name = this.#named(id);
    if (name === undefined) return undefined;
    const { proposal, item } = name;
    const certificate = this.#certificates.get(proposal);
    const instance = this.#open.get(proposal);
    const items = (certificate ?? instance)?.proposal.proposal.items.length ?? 0;
    if (item >= items) return undefined;
    if (certificate !== undefined) return certifiedView(certificate, this.configurationOf(certificate.attestation.epoch), item);
    return instance && openView(instance, this.configuration, item);
  }

  /** The vote that a text names; of one whose epoch is over, the one in which it goes on. */
  #named(id: string): VoteName | undefined {
    const name = parseVoteName(id);
    if (name === undefined || this.#certificates.has(name.proposal)) return name;
    const latest = this.#renewals.latest(name.proposal);
    return latest === 'void' ? name : { ...name, proposal: latest };
  }

  isVoid(id: string): boolean {
    const proposal = this.#named(id)?.proposal;
    return proposal !== undefined && this.#renewals.latest(proposal) === 'void' && !this.#certificates.has(proposal);
  }

  /** The members of an epoch of which this node has a certificate. */
  configurationOf(epoch: number): EpochConfiguration {
    return this.#configurationOf(epoch) ?? this.configuration;
  }

  /** Asks the other members for a vote that isn't known here: it may have been decided while this node was away. */
  seek(id: string): void {
    const proposal = this.#named(id)?.proposal;
    if (proposal === undefined || this.#certificates.has(proposal) || this.#open.has(proposal)) return;
    this.#certificates.seek(proposal);
    this.#links.pushToAll({ type: 'get', digest: proposal });
    this.#deferTurn();
  }

  evidence(): readonly Accusation[] {
    return this.#evidence.all();
  }

  /** Calls back, later, once the vote has a certificate or the epoch is over; returns what takes the wish back. */
  onCertified(id: string, listener: () => void): () => void {
    const proposal = this.#named(id)?.proposal;
    if (proposal === undefined || !this.#certificates.has(proposal)) return this.#certificates.watch(proposal ?? id, listener);
    this.#ports.defer(listener, 0);
    return () => {};
  }

  /** For metrics. */
  get counters(): VoteCounters {
    const { refused: framesRefused } = this.#links;
    return { ...this.#ended, open: this.#open.size, framesRefused, recordsRefused: this.#intake.refused, lies: this.#evidence.noticed };
  }

  #tellEnd(certificate: Certificate): void {
    const { proposal, attestation } = certificate;
    for (const choice of attestation.outcome) {
      if (choice === split || choice === expired) this.#ended.noConsensus++;
      else this.#ended.decided++;
    }
    this.#ports.onNews(newsOf(proposal, attestation.outcome));
    this.#opinions.reconsider(certificate.proposal.proposal.kind);
  }

  // Turns.

  get #nowMs(): number {
    return this.#ports.clock.monotonicMs();
  }

  #deferTurn(): void {
    if (this.#turnDeferred || this.#stopped || this.#hasEnded) return;
    this.#turnDeferred = true;
    const askedMs = this.#nowMs;
    this.#ports.defer(() => {
      this.#turnDeferred = false;
      if (!this.#saving && !this.#hasEnded) this.#guard(() => this.#turn(askedMs));
    }, this.#pace.pauseMs(askedMs));
  }

  /** Does something that the next turn is to save and send. */
  #inTurn(job: () => void): void {
    job();
    this.#deferTurn();
  }

  #guard(job: () => void): void {
    if (this.#stopped) return;
    try {
      job();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(error: Error): void {
    this.#stopped = true;
    this.#ports.onFatal(error);
  }

  #turn(askedMs: number): void {
    const startedMs = this.#nowMs;
    for (const { from, bytes } of this.#inbox.splice(0)) {
      const opened = this.#hasBooted ? this.#links.open(from, bytes, startedMs) : undefined;
      for (const record of opened?.records ?? []) this.#intake.take(opened?.from ?? from, record);
    }
    this.#inboxBytes = 0;
    // Before the boot is durable nothing may leave, and a tick tells this node's key to who lacks it.
    if (this.#tickPending && this.#hasBooted) this.#onTick(startedMs);
    const votes = this.#engines.run();
    const { changes, afterSave } = this.#flush.take();
    const outgoing = this.#links.takeOutgoing();
    const endedMs = this.#nowMs;
    this.#pace.worked(endedMs - startedMs, votes, endedMs);
    const finish = (): void => {
      this.#pace.took(this.#nowMs - askedMs);
      if (this.#hasBooted) this.#links.send(outgoing);
      else this.#booted();
      for (const job of afterSave) job();
    };
    if (changes.length === 0) return finish();
    this.#saving = true;
    this.#ports.store.saveVotes(changes, (error) => {
      if (this.#stopped) return;
      if (error !== undefined) return this.#fail(error);
      this.#guard(() => {
        this.#saving = false;
        finish();
        this.#deferTurn();
      });
      return undefined;
    });
    return undefined;
  }

  /** The boot is counted durably: from now on frames may leave. */
  #booted(): void {
    this.#hasBooted = true;
    this.#links.announceToAll();
  }

  #onTick(nowMs: number): void {
    this.#tickPending = false;
    this.#links.tick(nowMs);
    if (nowMs - this.#keyMs >= keyLifeMs) this.#rotate(nowMs);
    this.#intake.tick(nowMs);
    this.#engines.tick(nowMs);
  }

  #rotate(nowMs: number): void {
    this.#keyMs = nowMs;
    const generation = this.#boot.nextGeneration(this.#ports.clock.unixMs());
    this.#flush.afterSave(() => {
      this.#authenticator.rotate({ key: this.#ports.createKey(), generation }, this.#nowMs);
      this.#links.announceToAll();
    });
  }

  #meet(member: MemberIndex): void {
    this.#intake.meet(member);
    this.#deferTurn();
  }
}
