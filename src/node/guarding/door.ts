import type { Clock } from '../../core/clock.ts';
import type { LogIndex, NodeId, Term } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { RaftMessage } from '../../raft/messages.ts';
import type { Raft } from '../../raft/raft.ts';
import type { ReplicaCounters } from '../replica-options.ts';
import type { Guard } from './guard.ts';

/** What a leader tried to have acknowledged, and must not. Convinces nobody else: entries are not signed. */
export interface BadGuard {
  readonly leader: NodeId;
  readonly term: Term;
  readonly index: LogIndex;
  readonly detail: string;
  /** Milliseconds since 1970, by this node's clock. */
  readonly seenMs: number;
}

export interface DoorPorts {
  readonly raft: Raft;
  readonly guard: Guard | undefined;
  /** This node's log may not be the cluster's. */
  readonly isDiverged: () => boolean;
  readonly counters: ReplicaCounters;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The newest that are kept. */
const maxKept = 256;

/**
 * Where Raft's messages come in. Raft believes its leader; this does not: entries that are guarded, and do not carry a certificate that this node has verified for
 * their place in the log, never reach Raft, so they are neither saved nor acknowledged, and while a majority is honest they are never committed. A leader that
 * sent one is not heard in its term any more: an election takes its place.
 */
export class Door {
  readonly #ports: DoorPorts;
  #bad: BadGuard[] = [];
  /** The last leader that lied, and when. */
  #liar: { readonly leader: NodeId; readonly term: Term } | undefined;

  constructor(ports: DoorPorts) {
    this.#ports = ports;
  }

  /** Oldest first. */
  get badGuards(): readonly BadGuard[] {
    return this.#bad;
  }

  /** False: the message was dropped. */
  step(from: NodeId, message: RaftMessage): boolean {
    const { raft, guard } = this.#ports;
    if (guard === undefined) {
      raft.step(from, message);
      return true;
    }
    if (!this.#mayPass(from, message, guard)) return false;
    const { appliedIndex } = raft;
    raft.step(from, message);
    // Only a snapshot's last chunk moves it here: its members are known when it is read.
    if (raft.appliedIndex !== appliedIndex) guard.hold();
    return true;
  }

  #mayPass(from: NodeId, message: RaftMessage, guard: Guard): boolean {
    const { raft } = this.#ports;
    if (message.type !== 'AppendEntries' && message.type !== 'Heartbeat' && message.type !== 'InstallSnapshot') return true;
    if (this.#liar?.leader === from && this.#liar.term === message.term) return false;
    if (from === raft.id || message.type !== 'AppendEntries' || !message.entries.some(isGuarded)) return true;
    // It is sent again.
    if (guard.isHeld || (this.#ports.isDiverged() && message.entries.some(({ kind }) => kind === 'guarded'))) return false;
    const breach = guard.flawOf(message, raft);
    if (breach === undefined) return true;
    this.#accuse({ leader: from, term: message.term, ...breach, seenMs: this.#ports.clock.unixMs() });
    return false;
  }

  #accuse(bad: BadGuard): void {
    const { counters, logger } = this.#ports;
    counters.badGuards++;
    this.#liar = bad;
    this.#bad = [...this.#bad, bad].slice(-maxKept);
    logger.error(
      { ...bad },
      'the leader sent an entry without a certificate that permits it: it is not acknowledged, and the leader not heard any more',
    );
  }
}

const isGuarded = ({ kind }: { readonly kind: string }): boolean => kind === 'guarded' || kind === 'configuration';
