import { emptyBytes } from '../../core/bytes.ts';
import type { LogIndex } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { Configuration, Entry } from '../../raft/messages.ts';
import type { Raft } from '../../raft/raft.ts';
import type { CommandResult } from '../../tasks/commands.ts';
import type { StateEvent } from '../../tasks/events.ts';
import type { ClusterState } from '../../tasks/state.ts';
import { failure } from '../../core/errors.ts';
import type { Guard } from './guard.ts';

export interface GuardedLogPorts {
  readonly raft: Pick<Raft, 'applyConfigChange'>;
  /** Undefined where nothing can be verified: then nothing guarded is carried out, and every change of the members is taken as it is. */
  readonly guard: Guard | undefined;
  readonly logger: Logger;
}

/**
 * The last of the three checks: what is committed is carried out only if it may be, by what the log before it says, so alike on every node. After the leader's check
 * and the followers' nothing bad should come here; if it does, a majority lies, and it still changes nothing on an honest node.
 */
export class GuardedLog {
  readonly #ports: GuardedLogPorts;

  constructor(ports: GuardedLogPorts) {
    this.#ports = ports;
  }

  /** A change of the members is committed: Raft goes by it from now on. */
  applyConfigChange(entry: Entry): Configuration {
    const { raft, guard, logger } = this.#ports;
    if (guard === undefined || guard.enter(entry)) return raft.applyConfigChange(entry);
    logger.error({ index: entry.index }, 'a change of the voters was committed that no certificate permits: it changes nothing');
    return raft.applyConfigChange({ ...entry, data: emptyBytes });
  }

  /** The state has come to a change of the members. */
  onConfiguration(index: LogIndex, state: ClusterState): void {
    const record = this.#ports.guard?.takeLink(index);
    if (record !== undefined) state.enterEpoch(record);
  }

  /** Carries out a guarded entry, or not. */
  apply({ index, data }: Entry, state: ClusterState, events: StateEvent[]): CommandResult {
    const judged = this.#ports.guard?.judge(data, state.epochs.current) ?? { ok: false, detail: 'nothing can be verified here' };
    if (judged.ok) return state.enact(index, judged.ts, judged.command, events);
    this.#ports.logger.error(
      { index, detail: judged.detail },
      'a guarded command was committed that no certificate permits: it changes nothing',
    );
    return { ok: false, index, failure: failure('bad_certificate', `the certificate does not permit this: ${judged.detail}`) };
  }

  /**
   * A leader's snapshot has taken the place of the state. `waiting`: changes of the members behind it, by which Raft goes already.
   *
   * @throws Error if its members, or theirs, do not follow from the genesis: what this node holds is a liar's.
   */
  restore(state: ClusterState, configuration: Configuration, waiting: readonly Entry[]): void {
    const { guard } = this.#ports;
    guard?.restore(state.epochs.all(), configuration);
    const bad = waiting.find((entry) => guard?.enter(entry) === false);
    if (bad !== undefined) throw new Error(`the change of the voters at index ${bad.index} was committed, and no certificate permits it`);
  }
}
