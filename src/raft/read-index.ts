import type { LogIndex, NodeId } from '../core/ids.ts';
import { jointVote } from './quorum.ts';
import type { Configuration } from './messages.ts';

export interface ReadRequest {
  readonly from: NodeId;
  readonly context: number;
}

export interface ReadRound {
  readonly number: number;
  readonly index: LogIndex;
  readonly requests: readonly ReadRequest[];
  readonly acks: Set<NodeId>;
}

/** Reads that wait for the leader's first commit of its term, for the next turn, or for the leader's answer; more are refused. */
export const maxQueuedReads = 65_536;

/** Rounds without an answer; the oldest are given up beyond it, and their askers ask again. */
const maxRounds = 1024;

/**
 * Reads that a leader is confirming (Raft thesis §6.4). All requests of one turn share a round; a round is confirmed when a majority has answered a heartbeat
 * sent after it began, and confirms every earlier one with it.
 */
export class ReadIndexRounds {
  #rounds: ReadRound[] = [];
  #number = 0;

  /** The round that a heartbeat should carry; 0 when none waits. */
  get newest(): number {
    return this.#rounds.at(-1)?.number ?? 0;
  }

  /** The number of a heartbeat that belongs to no round: an answer to it confirms all rounds before. */
  next(): number {
    return ++this.#number;
  }

  begin(index: LogIndex, requests: readonly ReadRequest[], self: NodeId): readonly ReadRequest[] {
    this.#rounds.push({ number: ++this.#number, index, requests, acks: new Set([self]) });
    return this.#rounds.length > maxRounds ? (this.#rounds.shift()?.requests ?? []) : [];
  }

  /** The rounds that an answer to round `number` has confirmed, oldest first. */
  onAck(from: NodeId, number: number, configuration: Configuration): readonly ReadRound[] {
    let confirmed = 0;
    this.#rounds.forEach((round, i) => {
      if (round.number > number) return;
      round.acks.add(from);
      if (jointVote(configuration, (id) => (round.acks.has(id) ? true : undefined)) === 'won') confirmed = i + 1;
    });
    return confirmed === 0 ? [] : this.#rounds.splice(0, confirmed);
  }

  /** Leadership is lost: nothing can be confirmed any more. */
  clear(): readonly ReadRequest[] {
    const requests = this.#rounds.flatMap((round) => round.requests);
    this.#rounds = [];
    return requests;
  }
}
