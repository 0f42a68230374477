import type { NodeId } from '../core/ids.ts';
import type { ConfigurationChange, MemberChange } from './configuration-change.ts';
import type { Configuration } from './messages.ts';

/** The configuration after a change, or why there is none. */
export type ChangeResult = { readonly ok: true; readonly configuration: Configuration } | { readonly ok: false; readonly reason: string };

/** A configuration that isn't joint. Ids are kept sorted, so equal configurations look equal on all nodes. */
export function configurationOf(voters: readonly NodeId[], learners: readonly NodeId[] = []): Configuration {
  return { voters: sorted(voters), outgoing: [], learners: sorted(learners), learnersNext: [], autoLeave: false };
}

export const isJoint = (configuration: Configuration): boolean => configuration.outgoing.length > 0;

/** A voter of either half of a joint configuration votes. */
export const isVoter = (configuration: Configuration, id: NodeId): boolean =>
  configuration.voters.includes(id) || configuration.outgoing.includes(id);

/** Everyone who is sent entries, each once, voters first. */
export function members({ voters, outgoing, learners }: Configuration): readonly NodeId[] {
  return [...new Set([...voters, ...outgoing, ...learners])];
}

/** Says what contradicts itself in a configuration, if anything. */
export function validateConfiguration(configuration: Configuration): string | undefined {
  const { voters, outgoing, learners, learnersNext, autoLeave } = configuration;
  for (const ids of [voters, outgoing, learners, learnersNext]) {
    if (new Set(ids).size !== ids.length) return 'a member is named twice in one role';
  }
  if (learners.some((id) => isVoter(configuration, id))) return 'a learner is also a voter';
  if (learnersNext.some((id) => !outgoing.includes(id))) return 'a learner to be is not an outgoing voter';
  if (learnersNext.some((id) => voters.includes(id))) return 'a learner to be is also an incoming voter';
  if (!isJoint(configuration) && autoLeave) return 'only a joint configuration can be left';
  return undefined;
}

/** Applies a change in the way its transition asks for (§6 and thesis §4.3). */
export function changeConfiguration(configuration: Configuration, change: ConfigurationChange): ChangeResult {
  if (change.changes.length === 0 && change.transition === 'auto') return leave(configuration);
  if (change.transition === 'auto' && change.changes.length === 1) return changeOne(configuration, change.changes);
  return enterJoint(configuration, change.changes, change.transition !== 'joint-explicit');
}

/** One voter at most comes or goes, so that the majorities before and after overlap without a joint configuration (thesis §4.1). */
function changeOne(configuration: Configuration, changes: readonly MemberChange[]): ChangeResult {
  if (isJoint(configuration)) return refused('the joint configuration must be left first');
  const draft = new Draft(configuration);
  draft.apply(changes);
  const next = draft.finish(false);
  const differing = difference(configuration.voters, next.voters) + difference(next.voters, configuration.voters);
  if (differing > 1) return refused('more than one voter would change without a joint configuration');
  return checked(next);
}

function enterJoint(configuration: Configuration, changes: readonly MemberChange[], autoLeave: boolean): ChangeResult {
  if (isJoint(configuration)) return refused('the joint configuration must be left first');
  if (configuration.voters.length === 0) return refused('a configuration without voters can not become joint');
  const draft = new Draft({ ...configuration, outgoing: configuration.voters });
  draft.apply(changes);
  return checked(draft.finish(autoLeave));
}

function leave(configuration: Configuration): ChangeResult {
  if (!isJoint(configuration)) return refused('there is no joint configuration to leave');
  const { voters, learners, learnersNext } = configuration;
  return checked(configurationOf(voters, [...learners, ...learnersNext]));
}

/** A configuration while it is changed. */
class Draft {
  readonly #voters: Set<NodeId>;
  readonly #outgoing: ReadonlySet<NodeId>;
  readonly #learners: Set<NodeId>;
  readonly #learnersNext: Set<NodeId>;

  constructor(from: Configuration) {
    this.#voters = new Set(from.voters);
    this.#outgoing = new Set(from.outgoing);
    this.#learners = new Set(from.learners);
    this.#learnersNext = new Set(from.learnersNext);
  }

  apply(changes: readonly MemberChange[]): void {
    for (const { type, node } of changes) {
      if (type === 'add-voter') this.#addVoter(node);
      else if (type === 'add-learner') this.#addLearner(node);
      else this.#remove(node);
    }
  }

  finish(autoLeave: boolean): Configuration {
    return {
      voters: sorted(this.#voters),
      outgoing: sorted(this.#outgoing),
      learners: sorted(this.#learners),
      learnersNext: sorted(this.#learnersNext),
      autoLeave,
    };
  }

  #addVoter(id: NodeId): void {
    this.#remove(id);
    this.#voters.add(id);
  }

  #addLearner(id: NodeId): void {
    this.#remove(id);
    // A node can't be a learner while the outgoing majority still counts its vote: it becomes one when the joint configuration is left.
    if (this.#outgoing.has(id)) this.#learnersNext.add(id);
    else this.#learners.add(id);
  }

  #remove(id: NodeId): void {
    this.#voters.delete(id);
    this.#learners.delete(id);
    this.#learnersNext.delete(id);
  }
}

function checked(configuration: Configuration): ChangeResult {
  if (configuration.voters.length === 0) return refused('no voter would be left');
  const fault = validateConfiguration(configuration);
  return fault === undefined ? { ok: true, configuration } : refused(fault);
}

const refused = (reason: string): ChangeResult => ({ ok: false, reason });

const difference = (from: readonly NodeId[], without: readonly NodeId[]): number => from.filter((id) => !without.includes(id)).length;

const sorted = (ids: Iterable<NodeId>): readonly NodeId[] => [...new Set(ids)].toSorted();
