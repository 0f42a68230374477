import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import { isAnnouncement } from '../../../src/byzantine/key-announcement.ts';
import type { ProposalId } from '../../../src/byzantine/proposal.ts';
import { byzantineQuorum } from '../../../src/byzantine/quorum.ts';
import type { Outcome } from '../../../src/byzantine/witness.ts';
import type { NodeId } from '../../../src/core/ids.ts';
import type { Random } from '../../../src/core/random.ts';
import { EventQueue } from '../../event-queue.ts';
import { Trace } from '../../trace.ts';
import { hold } from '../../violation.ts';
import type { VotePlan } from '../vote-plan.ts';
import { membersOf } from '../vote-plan.ts';
import type { VoteCounts } from '../vote-world.ts';
import type { DriverListener } from './driver-process.ts';
import { DriverProcess } from './driver-process.ts';
import { Electorate } from './electorate.ts';
import type { Attack } from './frame-liar.ts';
import { FrameLiar } from './frame-liar.ts';
import { epochOf, recordsIn, Watcher } from './watcher.ts';

const electorates = new Map<number, Electorate>();

/** Keys are dear to make and the same in every run. */
function electorateOf(n: number): Electorate {
  const electorate = electorates.get(n) ?? new Electorate(n);
  electorates.set(n, electorate);
  return electorate;
}

const optionNames = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const opineEveryMs = 20;
const seekEveryMs = 200;
/** In this time of calm what has been begun has reached somebody. */
const settleUs = 300_000;
const lookEveryUs = 20_000;
/** How much later than another a member comes to an epoch. */
const maxEpochLagMs = 300;

/** The plan's members as they are shipped, with their driver, keys, bytes, frames and MACs, on the plan's network. Liars lie in the bytes. */
export class FrameWorld implements DriverListener {
  readonly queue = new EventQueue();
  readonly trace: Trace;
  readonly watcher: Watcher;
  readonly counts: VoteCounts = { messages: 0, lost: 0, crashes: 0, writes: 0, evidence: 0 };
  readonly #plan: VotePlan;
  readonly #random: Random;
  readonly #electorate: Electorate;
  readonly #processes: readonly DriverProcess[];
  readonly #honest: readonly DriverProcess[];
  readonly #liars = new Map<MemberIndex, FrameLiar>();
  /** Votes that were opened, and who was asked to. */
  readonly #opened = new Map<ProposalId, DriverProcess>();
  /** How often the members change; to themselves, but nothing of an epoch holds in the next. */
  readonly #epochs: number;
  #reach: readonly number[];
  #isCalm = false;

  constructor(plan: VotePlan, random: Random, onLine?: (line: string) => void) {
    const { n, lies, opinions } = plan;
    this.#plan = plan;
    this.#random = random;
    this.#electorate = electorateOf(n);
    this.trace = new Trace(() => this.queue.nowUs, { onLine });
    const liars = [...lies.keys()].filter((member) => lies[member] !== undefined);
    this.watcher = new Watcher(this.#electorate, new Set(liars));
    this.#epochs = Math.max(0, random.below(5) - 2);
    this.#reach = plan.rounds[0]?.reach ?? plan.calmReach;
    const parts = { electorate: this.#electorate, queue: this.queue, random, listener: this };
    this.#processes = membersOf(lies).map((member, index) => {
      // A member has one key at a time: of two copies, others hear the one that has started later.
      const aheadMs = index >= n ? random.below(3) * 1000 : 0;
      return new DriverProcess({ ...parts, index, member, opinion: opinions[index], aheadMs });
    });
    this.#honest = this.#processes.filter(({ member }) => lies[member] === undefined);
    for (const member of liars) {
      if (lies[member] !== 'liar') continue;
      this.#liars.set(
        member,
        new FrameLiar({
          member,
          electorate: this.#electorate,
          random,
          watcher: this.watcher,
          epochOf: (of) => this.#processes[of]?.votes?.configuration.epoch ?? 0,
        }),
      );
    }
  }

  /** Everything up to the end of the last round. */
  runChaos(): void {
    const { lies, rounds, crashes } = this.#plan;
    for (const process of this.#processes) if (lies[process.member] !== 'silent') this.#start(process);
    let untilMs = 0;
    for (const { reach, untilMs: endMs } of rounds) {
      const fromMs = untilMs;
      untilMs = endMs;
      this.#at(fromMs, () => this.#connect(reach));
    }
    for (let epoch = 1; epoch <= this.#epochs; epoch++) {
      const atMs = Math.floor((untilMs * epoch) / (this.#epochs + 1));
      for (const process of this.#processes) this.#at(atMs + this.#random.below(maxEpochLagMs), () => process.enter(epoch));
    }
    for (const { member, atMs, downMs } of crashes) this.#at(atMs, () => this.#crash(member, downMs));
    for (const [member, liar] of this.#liars) this.#doMischief(member, liar);
    const voters = this.#processes.filter(({ member }) => lies[member] !== 'silent');
    for (let vote = 0; vote <= this.#random.below(2); vote++) this.#open(voters[this.#random.below(voters.length)], vote);
    this.#opine();
    while (this.queue.step(untilMs * 1000));
  }

  /** Faults off for honest members. False when a vote has no certificate with one of them in time. */
  runCalm(limitMs: number): boolean {
    this.#isCalm = true;
    for (const process of this.#honest) {
      this.#start(process);
      process.enter(this.#epochs);
    }
    this.#connect(this.#plan.calmReach);
    const untilUs = this.queue.nowUs + limitMs * 1000;
    // At least one vote of an honest member, and all that was begun.
    this.#open(this.#honest[0], 9);
    this.#seek();
    for (let atUs = this.queue.nowUs + settleUs; atUs < untilUs; atUs += lookEveryUs) {
      while (this.queue.step(atUs));
      if (this.#isOver) return true;
    }
    return false;
  }

  /** Of the first vote that is decided. */
  get outcome(): Outcome | undefined {
    return [...this.watcher.votes.values()].map(({ checks }) => checks.outcome).find((outcome) => outcome !== undefined);
  }

  get evidence(): ReadonlySet<string> {
    return this.watcher.evidence;
  }

  get highestView(): number {
    const views = [...this.watcher.votes.values()].flatMap(({ statements }) => statements.map((statement) => statement?.view ?? 0));
    return Math.max(0, ...views);
  }

  send(process: DriverProcess, to: NodeId, frame: Uint8Array): void {
    const { member } = process;
    const receiver = this.#memberOf(to);
    const lie = this.#plan.lies[member];
    if (lie === undefined) this.watcher.onSent(member, frame);
    if (process.hasLostStore) {
      const said = recordsIn(frame, this.#plan.n).find(({ type }) => type === 'statement' || type === 'ballot' || type === 'expiry');
      hold(said === undefined, 'forgotten-never-votes', () => `member ${member} has lost its disk and sends a ${said?.type}`);
    }
    for (const liar of this.#liars.values()) liar.hear(member, receiver, frame);
    const attack = this.#liars.has(member) ? this.#liars.get(member)?.onWay(receiver, frame) : { to: receiver, frame };
    if (attack !== undefined) this.#carry(process, attack);
  }

  saved(process: DriverProcess): void {
    this.counts.writes++;
    this.trace.event('save', process.index);
    if (this.#plan.lies[process.member] !== undefined) return;
    this.counts.evidence += this.watcher.onSaved(process.member, process.disk.records);
  }

  isReachable(process: DriverProcess, node: NodeId): boolean {
    const member = this.#memberOf(node);
    return this.#processes.some((other) => other.member === member && this.#hears(process, other) && this.#hears(other, process));
  }

  get #isOver(): boolean {
    return (
      this.watcher.isOver(this.#honest.map(({ member }) => member)) && [...this.#opened].every(([id, by]) => this.#isCertified(id, by))
    );
  }

  #isCertified(id: ProposalId, by: DriverProcess): boolean {
    const has = this.#honest.map(({ votes }) => votes?.view(id)?.certificate !== undefined);
    // What became of a vote in a later epoch is known to who knew it, so to its proposer.
    if (this.#epochs > 0) return !this.#honest.includes(by) || by.votes?.view(id)?.certificate !== undefined;
    // A liar may open a vote of which it tells nobody.
    return has.every((it) => it) || !has.some((it) => it);
  }

  #hears(from: DriverProcess, to: DriverProcess): boolean {
    return (((this.#reach[from.index] ?? 0) >> to.index) & 1) === 1;
  }

  #carry(from: DriverProcess, attack: Attack): void {
    for (const process of this.#processes) {
      if (process.member !== attack.to) continue;
      this.counts.messages++;
      const isFair = this.#isCalm && this.#plan.lies[from.member] === undefined && this.#plan.lies[attack.to] === undefined;
      if (!this.#hears(from, process) || (!isFair && this.#random.below(100) < this.#plan.loss)) {
        this.counts.lost++;
        continue;
      }
      const copies = !isFair && this.#random.below(100) < this.#plan.doubled ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        const delayUs = isFair ? 500 + this.#random.below(4500) : 500 + this.#random.below(this.#plan.maxDelayMs * 1000);
        this.queue.after(delayUs, () => this.#arrive(from, process, attack));
      }
    }
  }

  #arrive(from: DriverProcess, to: DriverProcess, { frame, bad, twice }: Attack): void {
    this.trace.event(isAnnouncement(frame) ? 'key' : 'frame', to.index, from.index, frame.length);
    const epoch = epochOf(frame, this.#plan.n);
    const now = to.votes?.configuration.epoch;
    if (epoch !== undefined && now !== undefined && epoch !== now) to.receiveBad(from.nodeId, frame, `is of epoch ${epoch}, not ${now}`);
    else if (twice === true) to.receiveTwice(from.nodeId, frame);
    else if (bad === undefined) to.receive(from.nodeId, frame);
    else to.receiveBad(from.nodeId, frame, bad);
  }

  #start(process: DriverProcess): void {
    process.start();
    for (const other of this.#processes) {
      if (other.member === process.member) continue;
      if (this.#hears(process, other)) process.votes?.onLink(other.nodeId, true);
      if (this.#hears(other, process)) other.votes?.onLink(process.nodeId, true);
    }
  }

  #connect(reach: readonly number[]): void {
    const before = this.#reach;
    this.#reach = reach;
    for (const from of this.#processes) {
      const gained = (reach[from.index] ?? 0) & ~(before[from.index] ?? 0);
      for (const to of this.#processes) if (((gained >> to.index) & 1) === 1) from.votes?.onLink(to.nodeId, true);
    }
  }

  #crash(member: MemberIndex, downMs: number): void {
    const process = this.#processes[member];
    const lie = this.#plan.lies[member];
    if (process?.isRunning !== true || this.#isCalm || lie === 'silent') return;
    this.counts.crashes++;
    this.trace.event('crash', process.index);
    process.crash();
    if (lie === 'amnesiac') this.#forget(process);
    this.queue.after(downMs * 1000, () => this.#start(process));
  }

  /** It has an older disk and doesn't know it, or none and does: then it must not vote. */
  #forget(process: DriverProcess): void {
    if (process.hasLostStore || this.#random.below(2) === 0) {
      process.hasLostStore = true;
      process.disk.lose();
    } else process.disk.goBack(this.#random);
  }

  #doMischief(member: MemberIndex, liar: FrameLiar): void {
    this.queue.after((5 + this.#random.below(this.#isCalm ? 400 : 60)) * 1000, () => {
      const process = this.#processes[member];
      if (process !== undefined) for (const attack of liar.mischief(!this.#isCalm)) this.#carry(process, attack);
      this.#doMischief(member, liar);
    });
  }

  /** Asks again while it is refused. */
  #open(process: DriverProcess | undefined, number: number): void {
    const { options, minSupport, timeoutMs, n } = this.#plan;
    const payload = new Uint8Array(this.#payloadBytes(number)).fill(number + 1);
    const request = {
      kind: 'decision',
      subject: `vote ${number}`,
      payload,
      options: optionNames.slice(0, options),
      minSupport: Math.max(minSupport, byzantineQuorum(n)),
      timeoutMs,
      validMs: 60_000,
    };
    const again = (): void => this.queue.after(50_000, () => this.#open(process, number));
    if (process?.votes === undefined) return again();
    process.votes.open(request, undefined, (answer) => {
      if (answer.ok) this.#opened.set(answer.value.proposal, process);
      else again();
    });
  }

  /** None, one that goes along with the proposal, or one that is asked for. */
  #payloadBytes(number: number): number {
    return [0, 100, 5000][(this.#plan.firstLeader + number) % 3] ?? 0;
  }

  /** Whoever was away while others decided finds out when its clients ask. */
  #seek(): void {
    for (const { votes } of this.#honest) for (const id of this.#opened.keys()) votes?.seek(id);
    this.queue.after(seekEveryMs * 1000, () => this.#seek());
  }

  #opine(): void {
    this.queue.after(opineEveryMs * 1000, () => {
      for (const { id, proposal } of this.watcher.proposals) for (const process of this.#processes) process.opine(id, proposal.options);
      this.#opine();
    });
  }

  #memberOf(node: NodeId): MemberIndex {
    return this.#electorate.trust.configuration.members.findIndex(({ nodeId }) => nodeId === node);
  }

  #at(atMs: number, run: () => void): void {
    this.queue.after(atMs * 1000 - this.queue.nowUs, run);
  }
}
