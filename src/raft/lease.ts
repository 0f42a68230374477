import type { NodeId } from '../core/ids.ts';
import { jointVote } from './quorum.ts';
import type { Configuration } from './messages.ts';

/** Heartbeats whose answers are awaited: more than a lease lasts, even when each read sends one. The oldest are forgotten. */
const maxSent = 1024;

/**
 * A leader's right to answer reads alone (Raft thesis §6.4.1): a majority has promised to vote for nobody else for a time, which is counted from the moment
 * when the heartbeat that they answered was sent. It knows no clock but the driver's, as it is told of it; without a clock nothing is held.
 * docs/raft.md says why nobody else can lead meanwhile.
 */
export class Lease {
  /** The leader's own bound on a promise, in milliseconds; 0: none is ever held. */
  readonly #ms: number;
  #nowMs: number | undefined;
  #isGivenUp = false;
  /** Heartbeats on their way, oldest first. */
  #sent: { readonly round: number; readonly atMs: number }[] = [];
  /** When each voter's newest promise ends. */
  readonly #untilMs = new Map<NodeId, number>();

  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Tells the time. A clock that goes back, or a driver that was away for half a lease, ends all promises: nobody knows what happened meanwhile. */
  observe(nowMs: number | undefined): void {
    const before = this.#nowMs;
    this.#nowMs = nowMs;
    if (nowMs === undefined || before === undefined || nowMs < before || nowMs - before > this.#ms / 2) {
      this.#sent = [];
      this.#untilMs.clear();
    }
  }

  /** A heartbeat is about to leave. It counts from the time last told, which can only be too early. */
  onSend(round: number): void {
    if (this.#ms === 0 || this.#nowMs === undefined) return;
    this.#sent.push({ round, atMs: this.#nowMs });
    if (this.#sent.length > maxSent) this.#sent.shift();
  }

  /** A voter answered the heartbeat of this round, and promised so many milliseconds. */
  onAck(from: NodeId, round: number, promisedMs: number): void {
    const sent = this.#sent.find((heartbeat) => heartbeat.round === round);
    if (sent === undefined) return;
    const untilMs = sent.atMs + Math.min(promisedMs, this.#ms);
    this.#untilMs.set(from, Math.max(untilMs, this.#untilMs.get(from) ?? untilMs));
  }

  /** For ever: somebody was asked to campaign who needs not mind the promises. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  /** Whether a majority's promises, of both halves of a joint configuration, are in force at the time last told. */
  isHeld(configuration: Configuration, self: NodeId): boolean {
    const nowMs = this.#nowMs;
    if (this.#ms === 0 || this.#isGivenUp || nowMs === undefined) return false;
    const isBound = (id: NodeId): boolean => id === self || nowMs < (this.#untilMs.get(id) ?? nowMs);
    return jointVote(configuration, isBound) === 'won';
  }

  /** This member is gone, or lost what it knew. */
  forget(id: NodeId): void {
    this.#untilMs.delete(id);
  }
}
