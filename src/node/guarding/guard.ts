import {
  type EpochLink,
  type EpochRules,
  checkLink,
  followChain,
  isGuarded,
  linkFlawText,
  type LinkFlaw,
  nextConfiguration,
} from '../../byzantine/epoch-chain.ts';
import { encodeConfiguration, decodeConfiguration } from '../../byzantine/encoding.ts';
import type { EpochConfiguration } from '../../byzantine/epoch.ts';
import { checkGuard, type GuardedAction, guardFlawText, payloadDigest } from '../../byzantine/guard.ts';
import type { Hashes } from '../../byzantine/crypto.ts';
import { failure, type Failure } from '../../core/errors.ts';
import type { LogIndex, NodeId } from '../../core/ids.ts';
import { changeConfiguration } from '../../raft/configuration.ts';
import { type ConfigurationChange, decodeConfigurationChange } from '../../raft/configuration-change.ts';
import type { AppendEntries, Configuration, Entry } from '../../raft/messages.ts';
import type { Raft } from '../../raft/raft.ts';
import type { GuardedCommand } from '../../tasks/apply-guarded.ts';
import type { EpochRecord } from '../../tasks/epochs.ts';
import { decodeGuarded, type GuardedEntry } from '../../wire/guarded.ts';

/** What a node's guard starts from. */
export interface GuardOptions {
  readonly rules: EpochRules;
  /** The members of epoch 0, as the genesis names them. */
  readonly founding: EpochConfiguration;
}

/** A point of the log: who are its members, and of which epoch. */
interface Place {
  readonly configuration: Configuration;
  readonly epoch: EpochConfiguration;
}

type Step =
  | { readonly ok: true; readonly place: Place; readonly link: EpochLink | undefined }
  | { readonly ok: false; readonly flaw: LinkFlaw };

/** An entry that may be carried out, or why not. */
export type Judged =
  | { readonly ok: true; readonly ts: number; readonly command: GuardedCommand }
  | { readonly ok: false; readonly detail: string };

/** What must not be in a log. */
export interface Breach {
  readonly index: LogIndex;
  readonly detail: string;
}

const notKnown = 'the members are not known before the snapshot is read';

/**
 * What one node itself has verified: the members of every epoch, from the genesis on, and by them whether an entry of the log may be there. It believes no leader:
 * changes of the voters and guarded commands carry certificates, and a certificate counts for the epoch of its place in the log and for no other.
 *
 * The log is seen from two points. Raft goes by a configuration as soon as it is committed; the state follows, at times much later. `enter` moves with Raft;
 * `takeLink` and `judge` serve the state.
 */
export class Guard {
  readonly #rules: EpochRules;
  /** Of epoch 0. */
  readonly founding: EpochConfiguration;
  /** By epoch. */
  #epochs: readonly EpochConfiguration[];
  /** Where Raft is; undefined while a snapshot is read, whose epochs are not known yet. */
  #place: Place | undefined;
  #from: LogIndex = 0;
  /** Changes that Raft goes by and the state has not come to. */
  readonly #links = new Map<LogIndex, EpochLink>();

  constructor({ rules, founding }: GuardOptions) {
    this.#rules = rules;
    this.founding = founding;
    this.#epochs = [founding];
  }

  get hashes(): Hashes {
    return this.#rules.hashes;
  }

  /** The newest epoch that this node has verified. */
  get current(): EpochConfiguration {
    return this.#epochs.at(-1) ?? this.founding;
  }

  /** The index of the log where it began; 0 when this node began later. */
  get currentFrom(): LogIndex {
    return this.#from;
  }

  /** The members of an epoch, if this node has verified them. */
  configurationOf(epoch: number): EpochConfiguration | undefined {
    return this.#epochs[epoch];
  }

  /** A change of the voters needs a certificate now. */
  get isGuarded(): boolean {
    return isGuarded(this.#rules, this.current);
  }

  /** A snapshot takes the place of the log: its epochs are not known before it is read. */
  hold(): void {
    this.#place = undefined;
  }

  /**
   * Goes on from a state: its own at the start, or a leader's.
   *
   * @throws Error if its members do not follow from the genesis.
   */
  restore(records: readonly EpochRecord[], configuration: Configuration): void {
    const links = records.map(linkOf);
    const chain = links.includes(undefined)
      ? undefined
      : followChain(
          this.#rules,
          this.founding,
          links.filter((link) => link !== undefined),
        );
    if (chain?.ok !== true)
      throw new Error(
        `the state's members do not follow from the genesis: ${chain === undefined ? 'a configuration is malformed' : `epoch ${chain.epoch}: ${chain.detail}`}`,
      );
    this.#epochs = chain.configurations;
    this.#from = 0;
    this.#links.clear();
    if (!isOf(this.current, configuration.voters)) throw new Error(`the voters are not the members of epoch ${this.current.epoch}`);
    this.#place = { configuration, epoch: this.current };
  }

  /** A snapshot is being read: nothing that is guarded can be judged. */
  get isHeld(): boolean {
    return this.#place === undefined;
  }

  /** The first thing in a leader's message that must not be acknowledged. */
  flawOf(
    { prevLogIndex, prevLogTerm, entries }: AppendEntries,
    raft: Pick<Raft, 'appliedIndex' | 'changesUpTo' | 'termAt'>,
  ): Breach | undefined {
    // Raft refuses it, or knows all of it.
    if (raft.termAt(prevLogIndex) !== prevLogTerm) return undefined;
    let place = this.#placeAfter(raft.changesUpTo(prevLogIndex));
    if (place === undefined) return undefined;
    for (const entry of entries) {
      if (entry.index <= raft.appliedIndex) continue;
      if (entry.kind === 'configuration') {
        const step = this.#step(place, entry);
        if (!step.ok) return { index: entry.index, detail: `a change of the voters: ${linkFlawText(step.flaw, place.epoch)}` };
        place = step.place;
      } else if (entry.kind === 'guarded') {
        const judged = this.#judge(entry.data, place.epoch);
        if (!judged.ok) return { index: entry.index, detail: `a guarded command: ${judged.detail}` };
      }
    }
    return undefined;
  }

  // For a leader.

  /** Why a change must not enter the log. */
  refusalOf(change: ConfigurationChange): Failure | undefined {
    if (this.#place === undefined) return failure('unavailable', notKnown);
    const step = this.#change(this.#place, change);
    if (step.ok) return undefined;
    const detail = linkFlawText(step.flaw, this.#place.epoch);
    const { flaw } = step;
    if (flaw.code === 'certificate_required') return failure('certificate_required', detail, { ...flaw.action });
    if (flaw.code === 'not_the_next' || flaw.code === 'too_many_removals') return failure('invalid_argument', detail);
    return failure('bad_certificate', `the certificate does not permit this change: ${detail}`, { flaw: flaw.code });
  }

  /** What the members have to approve before a change may enter the log; undefined where no certificate is asked for, or none would help. */
  requirementOf(change: ConfigurationChange): GuardedAction | undefined {
    const step = this.#place && this.#change(this.#place, change);
    return step?.ok === false && step.flaw.code === 'certificate_required' ? step.flaw.action : undefined;
  }

  /** Whether a guarded entry may enter the log now, behind the `changes` of the members that are in it and not yet applied. */
  admit(entry: GuardedEntry, changes: readonly Entry[]): Judged {
    const place = this.#placeAfter(changes);
    return place === undefined ? { ok: false, detail: notKnown } : this.#check(entry, place.epoch);
  }

  // As the log is applied.

  /** A change is committed. False: it must change nothing, here and on every other node. */
  enter(entry: Entry): boolean {
    // Judged when the snapshot is read.
    if (this.#place === undefined) return true;
    const step = this.#step(this.#place, entry);
    if (!step.ok) return false;
    this.#place = step.place;
    if (step.link !== undefined) {
      this.#epochs = [...this.#epochs, step.link.configuration];
      this.#links.set(entry.index, step.link);
      this.#from = entry.index;
    }
    return true;
  }

  /** The epoch that begins at this index of the log, if one does. */
  takeLink(index: LogIndex): EpochRecord | undefined {
    const link = this.#links.get(index);
    this.#links.delete(index);
    return link && recordOf(link);
  }

  /** Whether a guarded entry is carried out, at a point of the log where the epoch is this one. */
  judge(data: Uint8Array, epoch: number): Judged {
    const configuration = this.#epochs[epoch];
    return configuration === undefined ? { ok: false, detail: `epoch ${epoch} is not known` } : this.#judge(data, configuration);
  }

  #judge(data: Uint8Array, configuration: EpochConfiguration): Judged {
    const entry = decodeGuarded(data);
    return entry === undefined ? { ok: false, detail: 'it is malformed' } : this.#check(entry, configuration);
  }

  #check({ ts, certificate, ...action }: GuardedEntry, configuration: EpochConfiguration): Judged {
    const { hashes, verify } = this.#rules;
    const verdict = checkGuard(certificate, action, { hashes, verify, configuration });
    if (!verdict.ok) return { ok: false, detail: guardFlawText(verdict.flaw, configuration) };
    const { id, proposal } = verdict.certificate.proposal;
    const { epoch, proposer, proposerSeq, notAfterMs } = proposal;
    const digest = payloadDigest(hashes, action.payload);
    return { ok: true, ts, command: { ...action, proposal: id, payloadDigest: digest, epoch, proposer, proposerSeq, notAfterMs } };
  }

  /** These were judged when they came. */
  #placeAfter(changes: readonly Entry[]): Place | undefined {
    return changes.reduce<Place | undefined>((place, entry) => {
      const step = place && this.#step(place, entry);
      return step?.ok === true ? step.place : place;
    }, this.#place);
  }

  #step(place: Place, entry: Entry): Step {
    const change = decodeConfigurationChange(entry.data);
    // Raft passes over what it can't read.
    return change === undefined ? { ok: true, place, link: undefined } : this.#change(place, change);
  }

  #change(place: Place, change: ConfigurationChange): Step {
    const changed = changeConfiguration(place.configuration, change);
    if (!changed.ok) return { ok: true, place, link: undefined };
    const { configuration } = changed;
    if (isOf(place.epoch, configuration.voters)) return { ok: true, place: { ...place, configuration }, link: undefined };
    const next = nextConfiguration(this.#rules, place.epoch, configuration.voters);
    if (next === undefined) return { ok: false, flaw: { code: 'not_the_next' } };
    const certificate = isGuarded(this.#rules, place.epoch) ? bytesOf(change.context) : undefined;
    const link = { configuration: next, certificate };
    const flaw = checkLink(this.#rules, place.epoch, link);
    return flaw === undefined ? { ok: true, place: { configuration, epoch: next }, link } : { ok: false, flaw };
  }
}

const isOf = ({ members }: EpochConfiguration, voters: readonly NodeId[]): boolean =>
  members.length === voters.length && members.every(({ nodeId }) => voters.includes(nodeId));

const bytesOf = (base64: string): Uint8Array | undefined => (base64 === '' ? undefined : new Uint8Array(Buffer.from(base64, 'base64')));

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

const recordOf = ({ configuration, certificate }: EpochLink): EpochRecord => ({
  configuration: textOf(encodeConfiguration(configuration)),
  certificate: certificate && textOf(certificate),
});

function linkOf({ configuration, certificate }: EpochRecord): EpochLink | undefined {
  const decoded = decodeConfiguration(new Uint8Array(Buffer.from(configuration, 'base64')));
  return decoded && { configuration: decoded, certificate: certificate === undefined ? undefined : bytesOf(certificate) };
}
