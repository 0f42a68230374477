import type { LogIndex } from '../../src/core/ids.ts';
import type { ClusterState } from '../../src/tasks/state.ts';
import { hold } from '../violation.ts';
import type { Deed, Invariant, KeyRead, NodeView } from './invariant.ts';

/** A key from an index on. */
interface KeyVersion {
  readonly index: LogIndex;
  /** Undefined: deleted. */
  readonly value: string | undefined;
}

/**
 * Every read, in whatever mode, shows a moment of the log: the key as the log up to the read's index makes it (the prefix property; Terry et al. 1994). So a `local`
 * read may be old, but never wrong, and no acknowledged write is lost.
 */
export class ReadsMatchLog implements Invariant {
  readonly name = 'reads-match-log';
  readonly #keys = new Map<string, KeyVersion[]>();

  onCommand(_node: NodeView, { index, command: { command }, effects, isFirst }: Deed): void {
    if (!isFirst || effects.length === 0) return;
    if (command.op === 'PutKey') this.#versions(command.key).push({ index, value: command.value });
    else if (command.op === 'DeleteKey') this.#versions(command.key).push({ index, value: undefined });
  }

  onRead({ key, found, index, consistency }: KeyRead): void {
    const known = this.#versions(key).findLast((version) => version.index <= index);
    this.#compare(`a ${consistency} read at ${index}`, key, known, found);
  }

  onWhole(state: ClusterState): void {
    for (const [key, versions] of this.#keys) this.#compare('the healed state', key, versions.at(-1), state.keys.get(key));
  }

  #compare(
    what: string,
    key: string,
    known: KeyVersion | undefined,
    found: { readonly value: string; readonly version: LogIndex } | undefined,
  ): void {
    hold(
      known?.value === found?.value && (found === undefined || found.version === known?.index),
      this.name,
      () => `${what} found ${found?.value} with version ${found?.version} under ${key}, the log has ${known?.value} of ${known?.index}`,
    );
  }

  #versions(key: string): KeyVersion[] {
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const versions: KeyVersion[] = [];
    this.#keys.set(key, versions);
    return versions;
  }
}
