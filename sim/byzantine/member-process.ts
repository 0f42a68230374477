import type { Ballot, Expiry } from '../../src/byzantine/ballot.ts';
import { Engine } from '../../src/byzantine/engine.ts';
import type { MemberIndex } from '../../src/byzantine/epoch.ts';
import type { ByzantineMessage, Outgoing } from '../../src/byzantine/messages.ts';
import type { Motion } from '../../src/byzantine/motion.ts';
import type { Memory, Ready } from '../../src/byzantine/ready.ts';
import { emptyMemory } from '../../src/byzantine/ready.ts';
import type { Random } from '../../src/core/random.ts';
import type { EventQueue } from '../event-queue.ts';
import type { Seals } from './seals.ts';
import type { Opinion } from './vote-plan.ts';

/** What a process tells the world. */
export interface ProcessListener {
  send(process: MemberProcess, outgoing: Outgoing): void;
  saved(process: MemberProcess, before: Memory | undefined, after: Memory): void;
  ready(process: MemberProcess, ready: Ready): void;
}

export interface ProcessParts {
  readonly index: number;
  readonly member: MemberIndex;
  readonly motion: Motion;
  readonly timeoutMs: number;
  readonly opinion: Opinion | undefined;
  readonly queue: EventQueue;
  readonly random: Random;
  readonly seals: Seals;
  readonly listener: ProcessListener;
}

const firstViewMs = 150;

/** The product's engine with a simulated disk and clock; carries out what it wants done in the order in which a driver must. */
export class MemberProcess {
  readonly index: number;
  readonly member: MemberIndex;
  readonly #parts: ProcessParts;
  #engine: Engine | undefined;
  #disk: Memory | undefined;
  readonly #older: Memory[] = [];
  #boot = 0;
  #writing: Memory | undefined;
  #hasDecided = false;
  #wakesAtMs = Number.POSITIVE_INFINITY;

  constructor(parts: ProcessParts) {
    this.index = parts.index;
    this.member = parts.member;
    this.#parts = parts;
  }

  get engine(): Engine | undefined {
    return this.#engine;
  }

  get disk(): Memory | undefined {
    return this.#disk;
  }

  get boot(): number {
    return this.#boot;
  }

  /** In this life, with a witness. */
  get hasDecided(): boolean {
    return this.#hasDecided;
  }

  get #nowMs(): number {
    return this.#parts.queue.nowUs / 1000;
  }

  start(): void {
    if (this.#engine !== undefined) return;
    const { motion, member: self, seals, timeoutMs, opinion, queue } = this.#parts;
    const boot = ++this.#boot;
    const memory = boot === 1 ? undefined : (this.#disk ?? emptyMemory(boot));
    const options = { motion, self, boot, notary: seals, timeoutMs, viewMs: () => firstViewMs };
    this.#engine = new Engine(memory === undefined ? options : { ...options, memory }, this.#nowMs);
    if (opinion !== undefined) {
      const engine = this.#engine;
      queue.after(Math.max(0, opinion.atMs - this.#nowMs) * 1000, () => {
        if (this.#engine !== engine) return;
        engine.cast(opinion.choices);
        this.#pump();
      });
    }
    this.#pump();
  }

  /** Loses all but the disk; a write that is under way may or may not have been done. */
  crash(random: Random): void {
    if (this.#writing !== undefined && this.#engine !== undefined && random.below(2) === 0) this.#written(this.#writing);
    this.#engine = undefined;
    this.#writing = undefined;
    this.#hasDecided = false;
  }

  /** Puts an older state, or none, in place of the disk. */
  forget(random: Random): void {
    const place = random.below(this.#older.length + 1);
    this.#disk = this.#older[place];
    this.#older.length = Math.min(place, this.#older.length);
  }

  receive(from: MemberIndex, message: ByzantineMessage): void {
    this.#engine?.step(from, message, this.#nowMs);
    this.#pump();
  }

  /** The network has changed: links are there again. */
  reconnect(peer: MemberIndex): void {
    this.#engine?.reconnected(peer, this.#nowMs);
    this.#pump();
  }

  #pump(): void {
    while (this.#writing === undefined && this.#engine !== undefined) {
      const ready = this.#engine.takeReady();
      if (ready === undefined) break;
      this.#carryOut(this.#engine, ready);
    }
    this.#setAlarm();
  }

  #carryOut(engine: Engine, ready: Ready): void {
    const { seals, random, queue, listener } = this.#parts;
    for (const unsigned of ready.toSign) engine.signed(this.#sign(unsigned, seals), this.#nowMs);
    listener.ready(this, ready);
    if (ready.decided !== undefined) this.#hasDecided = true;
    if (ready.save === undefined) return this.#send(ready);
    const { save } = ready;
    this.#writing = save;
    queue.after(random.below(2000), () => {
      if (this.#writing !== save) return;
      this.#writing = undefined;
      this.#written(save);
      this.#send(ready);
      this.#pump();
    });
  }

  #written(save: Memory): void {
    this.#parts.listener.saved(this, this.#disk, save);
    if (this.#disk !== undefined) this.#older.push(this.#disk);
    this.#disk = save;
  }

  #sign(unsigned: Ballot | Expiry, seals: Seals): ReturnType<Seals['ballot']> | ReturnType<Seals['expiry']> {
    return 'choices' in unsigned ? seals.ballot(this.member, unsigned) : seals.expiry(this.member, unsigned);
  }

  #send(ready: Ready): void {
    for (const outgoing of ready.messages) this.#parts.listener.send(this, outgoing);
  }

  #setAlarm(): void {
    const wakeAtMs = this.#engine?.wakeAtMs ?? Number.POSITIVE_INFINITY;
    if (wakeAtMs >= this.#wakesAtMs || wakeAtMs === Number.POSITIVE_INFINITY) return;
    this.#wakesAtMs = wakeAtMs;
    this.#parts.queue.after(Math.max(0, (wakeAtMs - this.#nowMs) * 1000), () => {
      if (this.#wakesAtMs !== wakeAtMs) return;
      this.#wakesAtMs = Number.POSITIVE_INFINITY;
      this.#engine?.tick(this.#nowMs);
      this.#pump();
    });
  }
}
