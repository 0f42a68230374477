import type { SignedBallot } from '../../src/byzantine/ballot.ts';
import type { MemberIndex } from '../../src/byzantine/epoch.ts';
import type { Outgoing } from '../../src/byzantine/messages.ts';
import type { Motion } from '../../src/byzantine/motion.ts';
import type { Memory, Ready } from '../../src/byzantine/ready.ts';
import type { Outcome } from '../../src/byzantine/witness.ts';
import type { Random } from '../../src/core/random.ts';
import { EventQueue } from '../event-queue.ts';
import { Trace } from '../trace.ts';
import type { Sight } from './liar.ts';
import { Liar } from './liar.ts';
import type { ProcessListener } from './member-process.ts';
import { MemberProcess } from './member-process.ts';
import { proposalNumber, Seals } from './seals.ts';
import { VoteChecks } from './vote-checks.ts';
import type { VotePlan } from './vote-plan.ts';
import { membersOf } from './vote-plan.ts';

/** What happened in a run. */
export interface VoteCounts {
  messages: number;
  lost: number;
  crashes: number;
  writes: number;
  evidence: number;
}

/** Members of one vote, some of them faulty, on a network that loses, doubles, delays and cuts. */
export class VoteWorld implements ProcessListener {
  readonly queue = new EventQueue();
  readonly trace: Trace;
  /** Kinds of lies that honest members noticed. */
  readonly evidence = new Set<string>();
  readonly #checks: VoteChecks;
  readonly counts: VoteCounts = { messages: 0, lost: 0, crashes: 0, writes: 0, evidence: 0 };
  readonly #plan: VotePlan;
  readonly #random: Random;
  readonly #motion: Motion;
  readonly #seals = new Seals();
  readonly #processes: readonly MemberProcess[];
  readonly #liars = new Map<MemberIndex, Liar>();
  readonly #ballots = new Set<SignedBallot>();
  #reach: readonly number[];
  #isCalm = false;

  constructor(plan: VotePlan, random: Random, onLine?: (line: string) => void) {
    this.#plan = plan;
    this.#random = random;
    this.trace = new Trace(() => this.queue.nowUs, { onLine });
    const { n, items, options, minSupport, firstLeader, timeoutMs, opinions } = plan;
    this.#motion = { proposal: proposalNumber(firstLeader), n, items, options, minSupport };
    const liars = [...plan.lies.keys()].filter((member) => plan.lies[member] !== undefined);
    this.#checks = new VoteChecks({ motion: this.#motion, notary: this.#seals, liars: new Set(liars) });
    this.#reach = plan.rounds[0]?.reach ?? plan.calmReach;
    const parts = { motion: this.#motion, timeoutMs, queue: this.queue, random, seals: this.#seals, listener: this };
    this.#processes = membersOf(plan.lies).map((member, index) => new MemberProcess({ ...parts, index, member, opinion: opinions[index] }));
    for (const [member, lie] of plan.lies.entries()) {
      if (lie !== 'liar') continue;
      const { seals, sight } = { seals: this.#seals, sight: () => this.#sight() };
      this.#liars.set(member, new Liar({ member, motion: this.#motion, firstLeader, random, seals, sight }));
    }
  }

  /** Everything up to the end of the last round. */
  runChaos(): void {
    for (const process of this.#processes) if (this.#plan.lies[process.member] !== 'silent') process.start();
    let untilMs = 0;
    for (const round of this.#plan.rounds) {
      const fromMs = untilMs;
      untilMs = round.untilMs;
      this.#at(fromMs, () => this.#connect(round.reach));
    }
    for (const { member, atMs, downMs } of this.#plan.crashes) this.#at(atMs, () => this.#crash(member, downMs));
    for (const [member, liar] of this.#liars) this.#doMischief(member, liar);
    this.#runUntil(untilMs);
  }

  /** Faults off for honest members. False when they have not all decided in time. */
  runCalm(limitMs: number): boolean {
    this.#isCalm = true;
    for (const process of this.#honest) process.start();
    this.#connect(this.#plan.calmReach);
    const untilUs = this.queue.nowUs + limitMs * 1000;
    this.queue.after(this.#plan.timeoutMs * 1000, () => this.#checks.calm());
    const honest = this.#honest;
    while (honest.some((process) => !process.hasDecided)) if (!this.queue.step(untilUs)) return false;
    return true;
  }

  /** What was decided. */
  get outcome(): Outcome | undefined {
    return this.#checks.outcome;
  }

  /** The highest view of an honest member. */
  get highestView(): number {
    return Math.max(0, ...this.#honest.map(({ engine }) => engine?.statement.view ?? 0));
  }

  get #honest(): readonly MemberProcess[] {
    return this.#processes.filter(({ member }) => this.#plan.lies[member] === undefined);
  }

  send(process: MemberProcess, outgoing: Outgoing): void {
    const { member } = process;
    if (this.#plan.lies[member] === undefined) this.#checks.sent(member, process.disk, outgoing.message);
    if (outgoing.message.type === 'ballot') this.#ballots.add(outgoing.message.ballot);
    const twisted = this.#liars.get(member)?.twist(outgoing) ?? [outgoing];
    for (const one of twisted) this.#carry(process.index, one);
  }

  saved(process: MemberProcess, before: Memory | undefined, after: Memory): void {
    this.counts.writes++;
    this.trace.event('save', process.index, after.statement.revision, after.statement.view);
    if (this.#plan.lies[process.member] === undefined) this.#checks.saved(process.member, before, after);
  }

  ready(process: MemberProcess, { decided, breach, evidence }: Ready): void {
    if (this.#plan.lies[process.member] !== undefined) return;
    this.counts.evidence += evidence.length;
    for (const { kind } of evidence) this.evidence.add(kind);
    if (breach !== undefined) this.#checks.breached(process.member, breach);
    for (const one of evidence) this.#checks.accused(process.member, one);
    if (decided === undefined) return;
    this.trace.event('decide', process.index, decided.outcome[0]);
    this.#checks.decided(process.member, decided);
  }

  #carry(from: number, { to, message }: Outgoing): void {
    this.counts.messages++;
    const member = this.#processes[from]?.member ?? 0;
    for (const process of this.#processes) {
      if (process.member !== to) continue;
      const isCut = (((this.#reach[from] ?? 0) >> process.index) & 1) === 0;
      const isFair = this.#isCalm && this.#plan.lies[member] === undefined && this.#plan.lies[to] === undefined;
      if (isCut || (!isFair && this.#random.below(100) < this.#plan.loss)) {
        this.counts.lost++;
        continue;
      }
      const copies = !isFair && this.#random.below(100) < this.#plan.doubled ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        const delayUs = isFair ? 500 + this.#random.below(4500) : 500 + this.#random.below(this.#plan.maxDelayMs * 1000);
        this.queue.after(delayUs, () => {
          this.trace.event(message.type, process.index, from);
          process.receive(member, message);
        });
      }
    }
  }

  #connect(reach: readonly number[]): void {
    const before = this.#reach;
    this.#reach = reach;
    for (const from of this.#processes) {
      const gained = (reach[from.index] ?? 0) & ~(before[from.index] ?? 0);
      for (const to of this.#processes) if (((gained >> to.index) & 1) === 1) from.reconnect(to.member);
    }
  }

  #crash(member: MemberIndex, downMs: number): void {
    const process = this.#processes[member];
    const lie = this.#plan.lies[member];
    if (process?.engine === undefined || this.#isCalm || lie === 'silent') return;
    this.counts.crashes++;
    this.trace.event('crash', process.index);
    process.crash(this.#random);
    if (lie === 'amnesiac') process.forget(this.#random);
    this.queue.after(downMs * 1000, () => process.start());
  }

  #doMischief(member: MemberIndex, liar: Liar): void {
    this.queue.after((5 + this.#random.below(this.#isCalm ? 400 : 60)) * 1000, () => {
      for (const outgoing of liar.mischief()) this.#carry(member, outgoing);
      this.#doMischief(member, liar);
    });
  }

  #sight(): Sight {
    const isHonest = ({ member }: MemberProcess): boolean => this.#plan.lies[member] === undefined;
    const statements = this.#processes.map((process) => (isHonest(process) ? process.engine?.statement : undefined));
    return { statements, ballots: [...new Map([...this.#ballots].map((signed) => [signed.ballot.voter, signed])).values()] };
  }

  #at(atMs: number, run: () => void): void {
    this.queue.after(atMs * 1000 - this.queue.nowUs, run);
  }

  #runUntil(untilMs: number): void {
    while (this.queue.step(untilMs * 1000));
  }
}
