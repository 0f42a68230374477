import { decodeCertificate } from '../../src/byzantine/certificate.ts';
import type { LogIndex, NodeId } from '../../src/core/ids.ts';
import { nodeHashes } from '../../src/crypto/node.ts';
import { changeConfiguration, configurationOf } from '../../src/raft/configuration.ts';
import { decodeConfigurationChange } from '../../src/raft/configuration-change.ts';
import type { Configuration, Entry } from '../../src/raft/messages.ts';
import type { SaveBatch } from '../../src/storage/store.ts';
import type { CommandResult } from '../../src/tasks/commands.ts';
import { decodeGuarded } from '../../src/wire/guarded.ts';
import type { ApprovalRecord } from '../guarded/record.ts';
import { hold } from '../violation.ts';
import type { Invariant, NodeView } from './invariant.ts';

/**
 * No honest node saves, so none acknowledges, and no node at all carries out a guarded command or a change of the voters that the members of its epoch did not
 * approve; and each decision is carried out at one place of the log (protocol design 1.9, I7). It knows what was approved from those who approved it, and checks no
 * signature.
 */
export class CertifiedOnly implements Invariant {
  readonly name = 'certified-only';
  readonly #record: ApprovalRecord;
  readonly #lies: (node: NodeId) => boolean;
  /** In force from these indices on, oldest first, each with its epoch. */
  readonly #configurations: { readonly from: LogIndex; readonly configuration: Configuration; readonly epoch: number }[];
  readonly #places = new Map<string, LogIndex>();

  constructor(founders: readonly NodeId[], record: ApprovalRecord, lies: (node: NodeId) => boolean) {
    this.#record = record;
    this.#lies = lies;
    this.#configurations = [{ from: 0, configuration: configurationOf(founders), epoch: 0 }];
  }

  onSaving({ id }: NodeView, { entries = [] }: SaveBatch): void {
    if (this.#lies(id)) return;
    for (const entry of entries) {
      if (entry.kind === 'guarded')
        hold(this.#isApproved(entry), this.name, () => `${id} saves an unapproved command at index ${entry.index}`);
      else if (entry.kind === 'configuration')
        hold(this.#mayFollow(entry), this.name, () => `${id} saves an unapproved change of the voters at index ${entry.index}`);
    }
  }

  onGuarded({ id }: NodeView, entry: Entry, result: CommandResult): void {
    if (!result.ok || result.value.kind !== 'decision') return;
    hold(this.#isApproved(entry), this.name, () => `${id} carries out an unapproved command at index ${entry.index}`);
    const proposal = proposalOf(entry) ?? '';
    const place = this.#places.get(proposal) ?? result.value.index;
    this.#places.set(proposal, place);
    hold(place === result.value.index, this.name, () => `${id} carries out at index ${entry.index} what was carried out at ${place}`);
  }

  onConfiguration({ id }: NodeView, from: LogIndex, configuration: Configuration, isFirst: boolean): void {
    if (!isFirst) return;
    const { epoch, configuration: before } = this.#at(from);
    const isNext = configuration.voters.join() !== before.voters.join();
    hold(
      !isNext || this.#record.isSuccessor(epoch + 1, configuration.voters),
      this.name,
      () => `${id} goes by unapproved voters from index ${from} on`,
    );
    this.#configurations.push({ from, configuration, epoch: isNext ? epoch + 1 : epoch });
  }

  #isApproved(entry: Entry): boolean {
    const found = decodeGuarded(entry.data);
    const approved = this.#record.get(proposalOf(entry) ?? '');
    if (found === undefined || approved === undefined) return false;
    const isSame = approved.kind === found.kind && approved.subject === found.subject && approved.payload === found.payload;
    // A later epoch than is known to have begun may have begun in entries that nobody has applied yet.
    return isSame && approved.epoch >= this.#at(entry.index).epoch;
  }

  #mayFollow({ index, data }: Entry): boolean {
    const change = decodeConfigurationChange(data);
    const { configuration, epoch } = this.#at(index);
    const changed = change === undefined ? undefined : changeConfiguration(configuration, change);
    if (changed?.ok !== true || changed.configuration.voters.join() === configuration.voters.join()) return true;
    return this.#record.isSuccessor(epoch + 1, changed.configuration.voters);
  }

  /** What is in force before an index. A leader begins no change before it has applied the one before it. */
  #at(index: LogIndex) {
    const found = this.#configurations.findLast(({ from }) => from < index);
    if (found === undefined) throw new RangeError('the founding configuration is in force from the beginning');
    return found;
  }
}

function proposalOf({ data }: Entry): string | undefined {
  const certificate = decodeGuarded(data)?.certificate;
  return certificate && decodeCertificate(nodeHashes, certificate)?.proposal.id;
}
