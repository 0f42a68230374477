import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import { assert } from '../../../src/core/assert.ts';
import type { NodeId } from '../../../src/core/ids.ts';
import type { Logger } from '../../../src/core/logger.ts';
import type { Random } from '../../../src/core/random.ts';
import { createAgreementKey, nodeHashes, verifySignature } from '../../../src/crypto/node.ts';
import { openVoteStore } from '../../../src/node/votes/vote-records.ts';
import { Votes } from '../../../src/node/votes/votes.ts';
import type { VoteChange, VoteStore } from '../../../src/storage/vote-store.ts';
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
  #votes: Votes | undefined;
  #starts = 0;
  #hasBooted = false;
  #writing: readonly VoteChange[] | undefined;
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

  /** While it runs. */
  get votes(): Votes | undefined {
    return this.#votes;
  }

  start(): void {
    if (this.#votes !== undefined) return;
    this.#starts++;
    this.#hasBooted = false;
    this.#waiting = 0;
    this.#cast.clear();
    const { electorate, queue, listener, aheadMs } = this.#parts;
    const { configuration } = electorate.trust;
    const clock = { monotonicMs: () => queue.nowUs / 1000, unixMs: () => startUnixMs + aheadMs + Math.floor(queue.nowUs / 1000) };
    // A life that has ended does not go on in what it left in the queue.
    const life = this.#starts;
    const later = (delayUs: number, job: () => void): void =>
      queue.after(delayUs, () => (this.#votes === undefined || this.#starts !== life ? undefined : job()));
    const disk: VoteStore = { saveVotes: (changes, done) => this.#save(changes, later, done) };
    const { store, held } = openVoteStore(nodeHashes, disk, this.disk.records);
    const configurationOf = (epoch: number) => (epoch === configuration.epoch ? configuration : undefined);
    const votes = new Votes(
      { self: this.nodeId, configuration, from: 0, configurationOf, autoApprove: [], hasLostStore: this.hasLostStore },
      {
        send: (to, frame) => listener.send(this, to, frame),
        store,
        clock,
        logger: quiet,
        hashes: nodeHashes,
        verify: verifySignature,
        sign: electorate.keyOf(this.member).sign,
        createKey: createAgreementKey,
        isReachable: (node) => listener.isReachable(this, node),
        defer: (job) => this.#defer(job, later),
        onEvent() {},
        onFatal: (error) => {
          throw error;
        },
      },
      held,
    );
    this.#votes = votes;
    const tick = (): void => {
      votes.tick();
      later(tickUs, tick);
    };
    tick();
  }

  /** Loses all but the disk; a write that is under way may or may not have been done. */
  crash(): void {
    if (this.#writing !== undefined && this.#parts.random.below(2) === 0) this.#written(this.#writing);
    this.#writing = undefined;
    this.#votes?.stop();
    this.#votes = undefined;
  }

  receive(from: NodeId, frame: Uint8Array): void {
    this.#votes?.onFrame(from, frame);
  }

  /** Takes a frame that no honest node may act on, and looks at once whether it was refused. */
  receiveBad(from: NodeId, frame: Uint8Array, why: string): void {
    const votes = this.#votes;
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
    if (this.#votes !== undefined) this.#takeAtOnce(this.#votes, from, frame);
    this.receiveBad(from, frame, 'came before');
  }

  /** False when the node has other things to do first, and takes it with them. */
  #takeAtOnce(votes: Votes, from: NodeId, frame: Uint8Array): boolean {
    const isIdle = this.#hasBooted && this.#writing === undefined && this.#waiting === 0;
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
    this.#votes?.cast(id, option, (answer) => {
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
    this.#writing = changes;
    later(this.#parts.random.below(maxWriteUs), () => {
      this.#writing = undefined;
      this.#hasBooted = true;
      this.#written(changes);
      done(undefined);
    });
  }

  #written(changes: readonly VoteChange[]): void {
    this.disk.write(changes);
    this.#parts.listener.saved(this);
  }
}
