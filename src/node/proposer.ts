import type { Clock } from '../core/clock.ts';
import type { LogIndex, NodeId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { Raft } from '../raft/raft.ts';
import type { Command } from '../tasks/commands.ts';
import { decodeSessionCommand, encodeEntry, encodeSessionCommand } from '../wire/commands.ts';
import { maxCommandsPerEntry, maxEntryBytes } from '../wire/limits.ts';
import { LogTime } from './log-time.ts';
import type { Outbox } from './outbox.ts';
import type { Proposals } from './proposals.ts';

export interface ProposerPorts {
  readonly raft: Pick<Raft, 'id' | 'role' | 'leader' | 'propose'>;
  readonly proposals: Proposals;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Time of the newest applied entry. */
  readonly stateTs: () => number;
}

/** Makes entries of commands: of what this node's clients wait for, of what followers forward, and of the leader's own decisions. */
export class Proposer {
  readonly #ports: ProposerPorts;
  readonly #time: LogTime;
  #commands: Uint8Array[] = [];

  constructor(ports: ProposerPorts) {
    this.#ports = ports;
    this.#time = new LogTime(ports.clock);
  }

  /** The leader's clock for stamps. */
  now(): number {
    return this.#time.now(this.#ports.stateTs());
  }

  /** The leader's own decisions, at once. */
  proposeNow(command: Command): LogIndex | undefined {
    const proposed = this.#ports.raft.propose(encodeEntry(this.now(), [withoutSession(command)]), 1);
    return proposed.ok ? proposed.index : undefined;
  }

  /** A command without a session, with the next batch: harmless when repeated or lost. */
  add(command: Command): void {
    this.#commands.push(withoutSession(command));
  }

  /** A follower's command; false when it is not one that a follower may send. Its bytes go into the log as they are, so they are checked here. */
  takeForwarded(bytes: Uint8Array): boolean {
    const command = this.#ports.raft.role === 'leader' ? decodeSessionCommand(bytes) : undefined;
    if (command === undefined) return true;
    // It may not speak for the leader.
    if (command.session === 0 && command.command.op !== 'OpenSession' && command.command.op !== 'StartTask') return false;
    this.#commands.push(bytes);
    return true;
  }

  /** Everything that waits becomes entries here, or leaves for the leader. */
  flush(leader: NodeId | undefined): void {
    const { raft, proposals, outbox, logger } = this.#ports;
    if (leader === undefined || (this.#commands.length === 0 && !proposals.hasUnsent)) return;
    const commands = [...this.#commands, ...proposals.takeUnsent()];
    this.#commands = [];
    let from = 0;
    while (from < commands.length) {
      const to = endOfBatch(commands, from);
      const batch = commands.slice(from, to);
      from = to;
      if (leader !== raft.id) outbox.frame(leader, { kind: 'forward', commands: batch });
      // A refused batch (busy, leadership in transfer) is sent again by its origin within an election timeout.
      else if (!raft.propose(encodeEntry(this.now(), batch), batch.length).ok)
        logger.debug({ commands: batch.length }, 'proposals refused');
    }
  }
}

const withoutSession = (command: Command): Uint8Array =>
  encodeSessionCommand({ session: 0, seq: 0, acked: 0, idempotencyKey: undefined, command });

/** As many commands as one entry may hold, and at least one. */
function endOfBatch(commands: readonly Uint8Array[], from: number): number {
  let bytes = 0;
  let to = from;
  while (to < commands.length && to - from < maxCommandsPerEntry && (to === from || bytes + (commands[to]?.length ?? 0) <= maxEntryBytes)) {
    bytes += commands[to]?.length ?? 0;
    to++;
  }
  return to;
}
