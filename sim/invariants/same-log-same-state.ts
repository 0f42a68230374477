import type { LogIndex } from '../../src/core/ids.ts';
import type { Entry, SnapshotMeta } from '../../src/raft/messages.ts';
import type { CommandResult } from '../../src/tasks/commands.ts';
import { hold } from '../violation.ts';
import type { Deed, Invariant, NodeView } from './invariant.ts';

/** A whole state is hashed about once in so many indices, and after every installed snapshot. */
const hashEvery = 1024;

/**
 * The same log gives the same state (T7; Schneider 1990: replicas are deterministic state machines). Every command has the same result and as many effects on every
 * node, also when it is applied again after a crash; and now and then the hashes of whole states are compared.
 */
export class SameLogSameState implements Invariant {
  readonly name = 'same-log-same-state';
  /** By index. */
  readonly #results: number[] = [];
  readonly #hashes = new Map<LogIndex, string>();

  onCommand({ id }: NodeView, { index, result, effects }: Deed): void {
    const print = printOf(result, effects.length);
    const known = this.#results[index];
    if (known === undefined) this.#results[index] = print;
    else if (known !== print) hold(false, this.name, () => `${id} answered the command at ${index} otherwise than others did`);
  }

  onApplied(node: NodeView, { index, count }: Entry): void {
    if (Math.floor(index / hashEvery) > Math.floor((index - count) / hashEvery)) this.#compare(node, index, node.replica.state);
  }

  /** The bytes of all snapshots are compared anyway; some are hashed too, for the states that are restored from them. */
  onSnapshotTaken(node: NodeView, { index }: SnapshotMeta): void {
    if (index % 16 === 0) this.#compare(node, index, node.replica.state);
  }

  onSnapshotInstalled(node: NodeView, { index }: SnapshotMeta, state: { hash(): string }): void {
    if (this.#hashes.has(index)) this.#compare(node, index, state);
  }

  #compare({ id }: NodeView, index: LogIndex, state: { hash(): string }): void {
    const hash = state.hash();
    const known = this.#hashes.get(index);
    hold(known === undefined || known === hash, this.name, () => `${id} has another state at ${index} than others had`);
    this.#hashes.set(index, hash);
  }
}

function printOf(result: CommandResult, effects: number): number {
  const what = result.ok
    ? result.value.kind === 'key'
      ? result.value.version
      : result.value.kind.length
    : 64 + result.failure.code.length;
  return what * 4096 + Math.min(effects, 2047) * 2 + Number(result.ok);
}
