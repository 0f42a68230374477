import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import { assert } from '../../../src/core/assert.ts';
import type { NodeId } from '../../../src/core/ids.ts';
import type { Logger } from '../../../src/core/logger.ts';
import type { Random } from '../../../src/core/random.ts';
import { createAgreementKey, nodeHashes, verifySignature } from '../../../src/crypto/node.ts';
import { VoteEpochs } from '../../../src/node/votes/vote-epochs.ts';
import type { Votes } from '../../../src/node/votes/votes.ts';
import type { VoteChange } from '../../../src/storage/vote-store.ts';
import type { EventQueue } from '../../event-queue.ts';
import { hold } from '../../violation.ts';
import type { Opinion } from '../vote-plan.ts';
import type { Electorate } from './electorate.ts';
import { VoteDisk } from './vote-disk.ts';

export interface DriverListener {
  send(process: DriverProcess, to: NodeId, frame: Uint8Array): void;
  /** Its disk has changed. */
  saved(process: DriverProcess): void;
  isReachable(process: DriverProcess, node: NodeId): boolean;
}

export interface DriverParts {
  readonly index: number;
  readonly member: MemberIndex;
  readonly electorate: Electorate;
  readonly opinion: Opinion | undefined;
  /** Its wall clock is that much before the others'. */
  readonly aheadMs: number;
  readonly queue: EventQueue;
  readonly random: Random;
  readonly listener: DriverListener;
}

const tickUs = 20_000;
const maxWriteUs = 2000;
const maxTurnUs = 200;
const maxReplayUs = 100_000;
const startUnixMs = 1_790_000_000_000;
const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** A node's driver of votes, as it is shipped, with keys, bytes, frames and MACs, on a simulated disk, clock and network. */
export class DriverProcess {
  readonly index: number;
  readonly member: MemberIndex;
  readonly nodeId: NodeId;
  readonly disk = new VoteDisk();
  /** It has lost its disk, and knows it. */
  hasLostStore = false;
  readonly #parts: DriverParts;
  #epochs: VoteEpochs | undefined;
  /** That its log has come to, and that it knows of since its start. */
  #logEpoch = 0;
  #epoch = 0;
  #starts = 0;
  #hasBooted = false;
  /** The first is under way. */
  #writing: { readonly changes: readonly VoteChange[]; readonly done: (error: Error | undefined) => void }[] = [];
  /** Jobs that wait for their turn, and whether they are to be taken at once. */
  #waiting = 0;
  #atOnce: (() => void)[] | undefined;
  readonly #cast = new Set<string>();

  constructor(parts: DriverParts) {
    this.#parts = parts;
    this.index = parts.index;
    this.member = parts.member;
    const member = parts.electorate.trust.configuration.members[parts.member];
    assert(member !== undefined, 'a process is a member');
    this.nodeId = member.nodeId;
  }

  get isRunning(): boolean {
    return this.#epochs !== undefined;
  }

  /** While it runs and is in an epoch. */
  get votes(): Votes | undefined {
    return this.#epochs?.current;
  }

  /** Its log comes to the beginning of an epoch. */
  enter(epoch: number): void {
    this.#logEpoch = Math.max(this.#logEpoch, epoch);
    if (!this.isRunning) return;
    this.#epoch = this.#logEpoch;
    this.#epochs?.follow();
  }

  start(): void {
    if (this.isRunning) return;
    this.#starts++;
    // It reads its log again, and may still be on the way.
    this.#epoch = this.#parts.random.below(this.#logEpoch + 1);
    this.#hasBooted = false;
    this.#waiting = 0;
    this.#cast.clear();
    const { electorate, queue, listener, aheadMs } = this.#parts;
    const clock = { monotonicMs: () => queue.nowUs / 1000, unixMs: () => startUnixMs + aheadMs + Math.floor(queue.nowUs / 1000) };
    // A life that has ended does not go on in what it left in the queue.
    const life = this.#starts;
    const later = (delayUs: number, job: () => void): void =>
      queue.after(delayUs, () => (!this.isRunning || this.#starts !== life ? undefined : job()));
    const configurationOf = (epoch: number) => electorate.configurationOf(epoch);
    this.#epochs = new VoteEpochs(
      {
        self: this.nodeId,
        autoApprove: [],
        current: () => ({ configuration: configurationOf(this.#epoch), from: this.#epoch }),
        configurationOf,
        isRejoining: () => this.hasLostStore,
        commitIndex: () => 0,
        votes: {
          send: (to, frame) => listener.send(this, to, frame),
          store: { saveVotes: (changes, done) => this.#save(changes, later, done) },
          clock,
          logger: quiet,
          hashes: nodeHashes,
          verify: verifySignature,
          sign: electorate.keyOf(this.member).sign,
          createKey: createAgreementKey,
          isReachable: (node) => listener.isReachable(this, node),
          defer: (job) => this.#defer(job, later),
          onNews() {},
          onFatal: (error) => {
            throw error;
          },
        },
      },
      this.disk.records,
    );
    const tick = (): void => {
      this.votes?.tick();
      later(tickUs, tick);
    };
    tick();
    later(this.#parts.random.below(maxReplayUs), () => this.enter(this.#logEpoch));
  }

  /** Loses all but the disk; a write that is under way may or may not have been done. */
  crash(): void {
    const [underWay] = this.#writing.splice(0);
    if (underWay !== undefined && this.#parts.random.below(2) === 0) this.#written(underWay.changes);
    this.#epochs?.stop();
    this.#epochs = undefined;
  }

  receive(from: NodeId, frame: Uint8Array): void {
    this.votes?.onFrame(from, frame);
  }

  /** Takes a frame that no honest node may act on, and looks at once whether it was refused. */
  receiveBad(from: NodeId, frame: Uint8Array, why: string): void {
    const { votes } = this;
    if (votes === undefined) return;
    const before = votes.counters.framesRefused;
    const isLookedAt = this.#takeAtOnce(votes, from, frame);
    hold(
      !isLookedAt || votes.counters.framesRefused > before,
      'bad-frames-refused',
      () => `member ${this.member} took a frame that ${why}`,
    );
  }

  /** Takes a frame, and then again: at most once to act on. */
  receiveTwice(from: NodeId, frame: Uint8Array): void {
    if (this.votes !== undefined) this.#takeAtOnce(this.votes, from, frame);
    this.receiveBad(from, frame, 'came before');
  }

  /** False when the node has other things to do first, and takes it with them. */
  #takeAtOnce(votes: Votes, from: NodeId, frame: Uint8Array): boolean {
    const isIdle = this.#hasBooted && this.#writing.length === 0 && this.#waiting === 0;
    const jobs: (() => void)[] = [];
    if (isIdle) this.#atOnce = jobs;
    votes.onFrame(from, frame);
    this.#atOnce = undefined;
    for (const job of jobs) job();
    return isIdle;
  }

  /** Gives its opinion of the vote, if it has one by now and knows the vote. */
  opine(id: string, options: readonly string[]): void {
    const { opinion, queue } = this.#parts;
    if (opinion === undefined || opinion.atMs * 1000 > queue.nowUs || this.#cast.has(id)) return;
    const option = options[(this.#starts === 1 ? opinion.choices : opinion.later)[0] ?? 0];
    if (option === undefined) return;
    this.votes?.cast(id, option, (answer) => {
      if (answer.ok || answer.failure.code === 'already_voted' || answer.failure.code === 'wrong_state') this.#cast.add(id);
    });
  }

  #defer(job: () => void, later: (delayUs: number, job: () => void) => void): void {
    if (this.#atOnce !== undefined) return void this.#atOnce.push(job);
    this.#waiting++;
    return later(this.#parts.random.below(maxTurnUs), () => {
      this.#waiting--;
      job();
    });
  }

  #save(changes: readonly VoteChange[], later: (delayUs: number, job: () => void) => void, done: (error: Error | undefined) => void): void {
    this.#writing.push({ changes, done });
    if (this.#writing.length === 1) this.#write(later);
  }

  /** One after the other: an epoch's last and the next one's first may both be asked for. */
  #write(later: (delayUs: number, job: () => void) => void): void {
    later(this.#parts.random.below(maxWriteUs), () => {
      const next = this.#writing.shift();
      this.#hasBooted = true;
      if (next === undefined) return;
      const isMore = this.#writing.length > 0;
      this.#written(next.changes);
      next.done(undefined);
      if (isMore) this.#write(later);
    });
  }

  #written(changes: readonly VoteChange[]): void {
    this.disk.write(changes);
    this.#parts.listener.saved(this);
  }
}
