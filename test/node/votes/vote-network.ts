import { Authenticator } from '../../../src/byzantine/authenticator.ts';
import { eventsOf } from '../../../src/node/votes/vote-views.ts';
import type { EpochConfiguration, MemberIndex } from '../../../src/byzantine/epoch.ts';
import { isAnnouncement } from '../../../src/byzantine/key-announcement.ts';
import { encodeRecord, type FrameRecord, packRecords } from '../../../src/byzantine/records.ts';
import { createAgreementKey, nodeHashes, verifySignature } from '../../../src/crypto/node.ts';
import { defined } from '../../../src/core/assert.ts';
import type { Failure } from '../../../src/core/errors.ts';
import type { NodeId } from '../../../src/core/ids.ts';
import type { VoteEvent, VoteRequest, VoteView } from '../../../src/node/votes/vote-service.ts';
import { VoteEpochs } from '../../../src/node/votes/vote-epochs.ts';
import type { Votes } from '../../../src/node/votes/votes.ts';
import type { VoteChange, VoteRecord } from '../../../src/storage/vote-store.ts';
import { Electorate } from '../../byzantine/electorate.ts';

const tickMs = 20;
/** No test has as much to do between two moments. */
const maxJobs = 200_000;

/** A disk of one node: what was written stays, what was on its way at a crash is gone. */
class Disk {
  readonly #records = new Map<string, VoteRecord>();
  /** Holds back writes until it is set to false again. */
  isSlow = false;
  fails: Error | undefined;
  readonly #waiting: (() => void)[] = [];

  records(): readonly VoteRecord[] {
    return [...this.#records.values()];
  }

  save(changes: readonly VoteChange[], later: (job: () => void) => void, done: (error: Error | undefined) => void): void {
    const write = (): void => {
      if (this.fails !== undefined) return done(this.fails);
      for (const { key, value } of changes) {
        const name = key.join();
        if (value === undefined) this.#records.delete(name);
        else this.#records.set(name, { key, value });
      }
      return done(undefined);
    };
    if (this.isSlow) this.#waiting.push(write);
    else later(write);
  }

  release(): void {
    this.isSlow = false;
    for (const write of this.#waiting.splice(0)) write();
  }

  lose(): void {
    this.#records.clear();
  }
}

class TestNode {
  readonly id: NodeId;
  readonly disk = new Disk();
  epochs: VoteEpochs | undefined;
  /** The newest epoch that it knows. */
  configuration: EpochConfiguration;
  /** Stands in the member's place, with its key. */
  liar: Liar | undefined;

  constructor(id: NodeId, configuration: EpochConfiguration) {
    this.id = id;
    this.configuration = configuration;
  }

  get votes(): Votes | undefined {
    return this.epochs?.current;
  }
}

/** A member that says what a test wants: authentic, with the member's own signatures, and not true. */
export class Liar {
  readonly #network: VoteNetwork;
  readonly #member: MemberIndex;
  readonly #authenticator: Authenticator;

  constructor(network: VoteNetwork, member: MemberIndex) {
    const { configuration } = network.electorate;
    this.#network = network;
    this.#member = member;
    this.#authenticator = new Authenticator({
      hashes: nodeHashes,
      verify: verifySignature,
      configuration,
      self: member,
      sign: network.electorate.keyOf(member).sign,
      boot: 2 ** 31,
      ownKey: {
        key: createAgreementKey(),
        generation: 2 ** 31,
      },
    });
  }

  onFrame(bytes: Uint8Array): void {
    if (isAnnouncement(bytes)) this.#authenticator.learn(bytes, 0);
  }

  /** Tells its key. */
  announce(): void {
    for (const to of this.#others()) this.#network.send(this.#member, to, this.#authenticator.announcement());
  }

  say(to: MemberIndex, ...records: readonly FrameRecord[]): void {
    for (const payload of packRecords(records.map(encodeRecord))) {
      const frame = this.#authenticator.seal(to, payload);
      if (frame !== undefined) this.#network.send(this.#member, to, frame);
    }
  }

  sayToAll(...records: readonly FrameRecord[]): void {
    for (const to of this.#others()) this.say(to, ...records);
  }

  #others(): readonly MemberIndex[] {
    return this.#network.nodes.flatMap((_, member) => (member === this.#member ? [] : [member]));
  }
}

export interface VoteNetworkOptions {
  readonly autoApprove?: readonly string[];
  /** Of members that approve other kinds than the rest. */
  readonly policies?: Readonly<Record<MemberIndex, readonly string[]>>;
  /** Of these members: another epoch than the others'. */
  readonly configurationOf?: (member: MemberIndex, configuration: EpochConfiguration) => EpochConfiguration;
}

/** What came of something that was asked of a node. */
export type Asked<T> = { value?: T; failure?: Failure };

/** Members that vote over a virtual network, with disks and a clock that a test moves; keys, bytes and engines are real. */
export class VoteNetwork {
  readonly electorate: Electorate;
  readonly nodes: readonly TestNode[];
  readonly #options: VoteNetworkOptions;
  /** By epoch. */
  readonly #configurations: EpochConfiguration[];
  readonly #jobs: (() => void)[] = [];
  /** Wait for milliseconds, which are over once nothing else is left to do. */
  readonly #deferred: (() => void)[] = [];
  readonly #cut = new Set<MemberIndex>();
  #nowMs = 1_000_000;
  /** Sees each frame on its way, and says what arrives: the frame, another, or nothing. */
  onWay: (frame: Uint8Array, from: MemberIndex, to: MemberIndex) => Uint8Array | undefined = (frame) => frame;
  /** Frames that arrived, by sender, without announcements of keys. */
  readonly framesFrom: number[];
  readonly fatal: Error[] = [];
  readonly events: (VoteEvent & { readonly member: MemberIndex })[] = [];

  constructor(n: number, options: VoteNetworkOptions = {}) {
    this.electorate = new Electorate(n);
    this.#options = options;
    this.framesFrom = Array.from({ length: n }, () => 0);
    const { configuration } = this.electorate;
    this.nodes = configuration.members.map(
      ({ nodeId }, member) => new TestNode(nodeId, options.configurationOf?.(member, configuration) ?? configuration),
    );
    this.#configurations = [configuration];
    for (let member = 0; member < n; member++) this.start(member);
    this.settle();
  }

  votes(member: MemberIndex): Votes {
    const votes = this.node(member).votes;
    if (votes === undefined) throw new Error(`member ${member} is down`);
    return votes;
  }

  node(member: MemberIndex): TestNode {
    const node = this.nodes[member];
    if (node === undefined) throw new Error(`there is no member ${member}`);
    return node;
  }

  start(
    member: MemberIndex,
    { hasLostStore = false, autoApprove = this.#options.policies?.[member] ?? this.#options.autoApprove ?? [] } = {},
  ): void {
    const node = this.node(member);
    // A life that has ended must not go on in what it left in the queue.
    const later = (job: () => void): void => void this.#jobs.push(() => (node.epochs === epochs ? job() : undefined));
    const epochs = new VoteEpochs(
      {
        self: node.id,
        autoApprove,
        current: () => ({ configuration: node.configuration, from: node.configuration.epoch }),
        configurationOf: (epoch) => (epoch === node.configuration.epoch ? node.configuration : this.#configurations[epoch]),
        isRejoining: () => hasLostStore,
        commitIndex: () => 0,
        votes: {
          send: (to, frame) => this.send(member, this.#memberOf(to), frame),
          store: { saveVotes: (changes, done) => node.disk.save(changes, later, done) },
          clock: { monotonicMs: () => this.#nowMs, unixMs: () => 1_790_000_000_000 + this.#nowMs },
          logger: { debug() {}, info() {}, warn() {}, error() {} },
          hashes: nodeHashes,
          verify: verifySignature,
          sign: this.electorate.keyOf(member).sign,
          createKey: createAgreementKey,
          isReachable: (other) => this.#isUp(member) && this.#isUp(this.#memberOf(other)),
          onNews: (news) => this.events.push(...eventsOf(news).map((event) => ({ member, ...event }))),
          defer: (job, ms) => (ms < 1 ? later(job) : void this.#deferred.push(() => later(job))),
          onFatal: (error) => this.fatal.push(error),
        },
      },
      node.disk.records(),
    );
    node.epochs = epochs;
    for (const [other, { votes: theirs, id }] of this.nodes.entries()) {
      if (other === member) continue;
      theirs?.onLink(node.id, true);
      node.votes?.onLink(id, true);
    }
  }

  /** Ends a node as `kill -9` does. */
  kill(member: MemberIndex): void {
    const node = this.node(member);
    node.epochs?.stop();
    node.epochs = undefined;
    if (node.disk.isSlow) node.disk.isSlow = false;
  }

  /** These come to the next epoch, whose members are those but the ones that leave. */
  enter(leaving: readonly MemberIndex[], those: readonly MemberIndex[] = this.nodes.map((_, member) => member)): void {
    const configuration = this.#next(leaving);
    for (const member of those) {
      this.node(member).configuration = configuration;
      this.node(member).epochs?.follow();
    }
    this.settle();
  }

  #next(leaving: readonly MemberIndex[]): EpochConfiguration {
    const { members, epoch, ...rest } = defined(this.#configurations.at(-1), 'there is a founding one');
    const next = { ...rest, epoch: epoch + 1, members: members.filter(({ nodeId }) => !leaving.includes(this.#memberOf(nodeId))) };
    this.#configurations.push(next);
    return next;
  }

  /** Puts a liar in a member's place. */
  corrupt(member: MemberIndex): Liar {
    this.kill(member);
    const liar = new Liar(this, member);
    this.node(member).liar = liar;
    liar.announce();
    this.settle();
    return liar;
  }

  cutOff(...members: readonly MemberIndex[]): void {
    for (const member of members) this.#cut.add(member);
  }

  heal(): void {
    const healed = [...this.#cut];
    this.#cut.clear();
    for (const member of healed) {
      for (const [other, { votes, id }] of this.nodes.entries()) {
        if (other === member) continue;
        votes?.onLink(this.node(member).id, true);
        this.node(member).votes?.onLink(id, true);
      }
    }
  }

  /** Does all there is to do now. */
  settle(): void {
    for (let done = 0; this.#jobs.length > 0 || this.#deferred.length > 0; done++) {
      if (done > maxJobs) throw new Error('the network does not come to rest');
      (this.#jobs.shift() ?? this.#deferred.shift())?.();
    }
  }

  /** Lets time go on, a tick at a time. */
  pass(ms: number): void {
    for (const endMs = this.#nowMs + ms; this.#nowMs < endMs; ) {
      this.#nowMs = Math.min(endMs, this.#nowMs + tickMs);
      for (const { votes } of this.nodes) votes?.tick();
      this.settle();
    }
  }

  /** Time goes on without anybody noticing before it is over: nobody resends in it. */
  skip(ms: number): void {
    this.#nowMs += ms;
  }

  open(member: MemberIndex, request: Partial<VoteRequest> = {}, key?: string): Asked<string> {
    const asked: Asked<string> = {};
    const whole: VoteRequest = {
      kind: 'decision',
      subject: 'web@1',
      payload: new Uint8Array(0),
      options: ['approve', 'reject'],
      minSupport: undefined,
      timeoutMs: 5e3,
      validMs: 6e4,
      ...request,
    };
    this.votes(member).open(whole, key, (answer) =>
      Object.assign(asked, answer.ok ? { value: answer.value.id } : { failure: answer.failure }),
    );
    return asked;
  }

  /** Opens a vote of which all members hear; its id. */
  begin(member: MemberIndex, request: Partial<VoteRequest> = {}): string {
    const { value, failure } = this.#settled(this.open(member, request));
    if (value === undefined) throw new Error(`the vote was refused: ${failure?.code}`);
    return value;
  }

  cast(member: MemberIndex, id: string, option: string): Asked<true> {
    const asked: Asked<true> = {};
    this.votes(member).cast(id, option, (answer) => Object.assign(asked, answer.ok ? { value: true } : { failure: answer.failure }));
    return asked;
  }

  /** All of these members cast the same ballot. */
  castAll(members: readonly MemberIndex[], id: string, option: string): void {
    for (const member of members) this.cast(member, id, option);
    this.settle();
  }

  view(member: MemberIndex, id: string): VoteView | undefined {
    return this.votes(member).view(id);
  }

  /** What each member that is up knows as decided. */
  outcomes(id: string): readonly (string | undefined)[] {
    return this.nodes.flatMap(({ votes }) => (votes === undefined ? [] : [votes.view(id)?.outcome]));
  }

  #settled<T>(asked: T): T {
    this.settle();
    return asked;
  }

  send(from: MemberIndex, to: MemberIndex, frame: Uint8Array): void {
    const sent = frame.slice();
    this.#jobs.push(() => {
      if (!this.#isUp(from) || !this.#isUp(to)) return;
      const arrives = isAnnouncement(sent) ? sent : this.onWay(sent, from, to);
      if (arrives === undefined) return;
      if (!isAnnouncement(arrives)) this.framesFrom[from] = (this.framesFrom[from] ?? 0) + 1;
      const { votes, liar } = this.node(to);
      liar?.onFrame(arrives);
      votes?.onFrame(this.node(from).id, arrives);
    });
  }

  #isUp(member: MemberIndex): boolean {
    const { votes, liar } = this.node(member);
    return (votes ?? liar) !== undefined && !this.#cut.has(member);
  }

  #memberOf(id: NodeId): MemberIndex {
    return this.nodes.findIndex((node) => node.id === id);
  }
}
