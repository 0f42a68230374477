import { decodeCertificate } from '../../byzantine/certificate.ts';
import { type Failure, failure } from '../../core/errors.ts';
import type { LogIndex } from '../../core/ids.ts';
import type { Raft } from '../../raft/raft.ts';
import type { CommandResult } from '../../tasks/commands.ts';
import type { ClusterState } from '../../tasks/state.ts';
import type { Question, Reply } from '../../wire/frames.ts';
import { encodeGuarded } from '../../wire/guarded.ts';
import type { Guard } from './guard.ts';

type Respond = (reply: Reply) => void;
export type EnactQuestion = Extract<Question, { readonly kind: 'enact' }>;

export interface EnactmentPorts {
  readonly raft: Raft;
  readonly guard: Guard | undefined;
  /** Why nothing guarded is taken while this node's log may not be the cluster's. */
  readonly doubt: () => Failure | undefined;
  /** The leader's clock for stamps. */
  readonly now: () => number;
}

/** Entries on their way; more are asked again. */
const maxPending = 1024;

/**
 * The leader's part in carrying out what the members decided. Like all questions these may be asked again, of another leader too: a decision is carried out once,
 * by its proposal's id, and a repeat is told where.
 */
export class Enactments {
  readonly #ports: EnactmentPorts;
  /** By the index of the entry. */
  readonly #pending = new Map<LogIndex, Respond>();

  constructor(ports: EnactmentPorts) {
    this.#ports = ports;
  }

  answer({ action, certificate }: EnactQuestion, state: ClusterState, respond: Respond): void {
    const { raft, guard, doubt, now } = this.#ports;
    const refuse = (failed: Failure): void => respond({ kind: 'failure', failure: failed });
    if (guard === undefined) return refuse(failure('unavailable', 'this cluster has no keys to verify certificates with'));
    const id = decodeCertificate(guard.hashes, certificate)?.proposal.id;
    const known = id && state.decisions.get(id, action.subject);
    if (known !== undefined) return respond({ kind: 'enacted', index: known.index });
    const doubted = doubt();
    if (doubted !== undefined) return refuse(doubted);
    const entry = { ts: now(), certificate, ...action };
    // Behind what this leader has in its log: a change of the members that is not applied yet ends its epoch there.
    const judged = guard.admit(entry, raft.changesUpTo(raft.status().lastIndex));
    if (!judged.ok) return refuse(failure('bad_certificate', `the certificate does not permit this: ${judged.detail}`));
    if (this.#pending.size >= maxPending) return refuse(failure('overloaded', 'too many decisions are on their way'));
    const proposed = raft.propose(encodeGuarded(entry), 1, 'guarded');
    if (!proposed.ok) return refuse(failure('unavailable', `the leader can't take it now: ${proposed.refused}`));
    this.#pending.set(proposed.index, respond);
    return undefined;
  }

  /** The entry at this index was applied. */
  onApplied(index: LogIndex, result: CommandResult): void {
    const respond = this.#pending.get(index);
    this.#pending.delete(index);
    if (result.ok) respond?.({ kind: 'enacted', index: result.value.kind === 'decision' ? result.value.index : index });
    else respond?.({ kind: 'failure', failure: result.failure });
  }

  /** Leadership is over. Whoever waits asks the next leader. */
  end(): void {
    this.#pending.clear();
  }
}
