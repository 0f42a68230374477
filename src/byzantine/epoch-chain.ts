import { equalBytes } from '../core/bytes.ts';
import { isName, type NodeId } from '../core/ids.ts';
import type { Hashes, VerifySignature } from './crypto.ts';
import { configurationDigest, encodeConfiguration } from './encoding.ts';
import { type EpochConfiguration, maxEpochs, maxMembers, type Member } from './epoch.ts';
import { checkGuard, type GuardedAction, type GuardFlaw, guardFlawText } from './guard.ts';
import { faultTolerance } from './quorum.ts';

/** The members that follow others, and why that is to be believed. */
export interface EpochLink {
  readonly configuration: EpochConfiguration;
  /** Of the epoch before; `undefined` where none is needed. */
  readonly certificate: Uint8Array | undefined;
}

/** What a cluster's changes of voters go by; the same on every node. */
export interface EpochRules {
  readonly hashes: Hashes;
  readonly verify: VerifySignature;
  /** The Ed25519 key that a node's id is made from. */
  readonly keyOf: (node: NodeId) => Uint8Array | undefined;
  /** Changes of 4 and more voters need a certificate. */
  readonly guardMembership: boolean;
}

/** Why members may not follow others. */
export type LinkFlaw =
  | GuardFlaw
  | { readonly code: 'not_the_next' }
  | { readonly code: 'too_many_removals'; readonly removed: number }
  | { readonly code: 'certificate_required'; readonly action: GuardedAction };

/** The kinds of votes that change the voters. */
export const isSuccession = (kind: string): boolean => kind === 'evict' || kind === 'membership';

/** True where a change of the voters needs a certificate of theirs. Fewer than 4 can make none that a liar among them could not. */
export const isGuarded = ({ guardMembership }: EpochRules, { members }: EpochConfiguration): boolean =>
  guardMembership && faultTolerance(members.length) > 0;

/** What holds for a cluster whose genesis doesn't say: founders who tolerate a liar want their changes certified; a cluster that grew up without has no proof of its members anyway. */
export const isGuardedByDefault = ({ members }: EpochConfiguration): boolean => faultTolerance(members.length) > 0;

/** The configuration of the next epoch, whose members these voters are; `undefined` if they or the epochs are too many, or not all of them named by a key. */
export function nextConfiguration(
  { hashes, keyOf }: Pick<EpochRules, 'hashes' | 'keyOf'>,
  current: EpochConfiguration,
  voters: readonly NodeId[],
): EpochConfiguration | undefined {
  if (current.epoch >= maxEpochs) return undefined;
  const members: Member[] = [];
  for (const nodeId of voters.toSorted()) {
    const ed25519PublicKey = keyOf(nodeId);
    if (ed25519PublicKey === undefined || members.length === maxMembers) return undefined;
    members.push({ nodeId, ed25519PublicKey });
  }
  const { cluster, epoch, kindsVersion } = current;
  return { cluster, epoch: epoch + 1, members, previous: configurationDigest(hashes, current), kindsVersion };
}

/**
 * What the members have to vote on before others take their place. The payload binds the whole next configuration, and says so when it would tolerate no liar any
 * more: who approves that means it.
 */
export function successionAction(current: EpochConfiguration, next: EpochConfiguration): GuardedAction {
  const removed = without(current, next);
  const added = without(next, current);
  const { cluster, epoch, previous } = next;
  const force = faultTolerance(current.members.length) > 0 && faultTolerance(next.members.length) === 0;
  const payload = {
    cluster,
    epoch,
    previous,
    members: next.members.map(({ nodeId }) => nodeId),
    added,
    removed,
    ...(force ? { force } : {}),
  };
  return {
    ...(added.length === 0 && removed.length === 1
      ? { kind: 'evict', subject: `evict:${removed[0]}` }
      : { kind: 'membership', subject: `epoch:${epoch}` }),
    payload: JSON.stringify(payload),
  };
}

/** True where an approval of the action would begin a next epoch: it is just what `successionAction` says of the members that it names. */
export function isPossibleSuccession(
  rules: Pick<EpochRules, 'hashes' | 'keyOf'>,
  current: EpochConfiguration,
  action: GuardedAction,
): boolean {
  const members = membersIn(action.payload);
  const next = members && nextConfiguration(rules, current, members);
  if (next === undefined || without(current, next).length > 1) return false;
  const { kind, subject, payload } = successionAction(current, next);
  return kind === action.kind && subject === action.subject && payload === action.payload;
}

function membersIn(payload: string): readonly NodeId[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    return undefined;
  }
  const members: unknown = typeof value === 'object' && value !== null && 'members' in value ? value.members : undefined;
  return Array.isArray(members) && members.every(isNodeId) ? members : undefined;
}

const isNodeId = (value: unknown): value is NodeId => typeof value === 'string' && isName(value);

/** Why `next` may not follow `current`, if it may not. At most one member leaves in an epoch: its share is among the F that may lie. */
export function checkLink(
  rules: EpochRules,
  current: EpochConfiguration,
  { configuration: next, certificate }: EpochLink,
): LinkFlaw | undefined {
  const rebuilt = nextConfiguration(
    rules,
    current,
    next.members.map(({ nodeId }) => nodeId),
  );
  if (rebuilt === undefined || !equalBytes(encodeConfiguration(rebuilt), encodeConfiguration(next))) return { code: 'not_the_next' };
  if (!isGuarded(rules, current)) return undefined;
  const removed = without(current, next).length;
  if (removed > 1) return { code: 'too_many_removals', removed };
  const action = successionAction(current, next);
  if (certificate === undefined) return { code: 'certificate_required', action };
  const verdict = checkGuard(certificate, action, { hashes: rules.hashes, verify: rules.verify, configuration: current });
  return verdict.ok ? undefined : verdict.flaw;
}

/** The members of all epochs, each believed because of the one before; or the first that is not to be believed. */
export function followChain(
  rules: EpochRules,
  founding: EpochConfiguration,
  links: readonly EpochLink[],
):
  | { readonly ok: true; readonly configurations: readonly EpochConfiguration[] }
  | { readonly ok: false; readonly epoch: number; readonly detail: string } {
  const configurations = [founding];
  let current = founding;
  for (const link of links) {
    const flaw = checkLink(rules, current, link);
    if (flaw !== undefined) return { ok: false, epoch: current.epoch + 1, detail: linkFlawText(flaw, current) };
    current = link.configuration;
    configurations.push(current);
  }
  return { ok: true, configurations };
}

const without = ({ members }: EpochConfiguration, other: EpochConfiguration): readonly NodeId[] =>
  members.map(({ nodeId }) => nodeId).filter((id) => other.members.every(({ nodeId }) => nodeId !== id));

/** A sentence for people. `current`: the members who would have had to certify it. */
export function linkFlawText(flaw: LinkFlaw, current: EpochConfiguration): string {
  if (flaw.code === 'not_the_next') return `these are not members that can follow those of epoch ${current.epoch}`;
  if (flaw.code === 'too_many_removals') return `${flaw.removed} members would leave; one at a time may`;
  if (flaw.code !== 'certificate_required') return guardFlawText(flaw, current);
  return `it takes a certificate of the members of epoch ${current.epoch}: of the kind ${flaw.action.kind}, about ${flaw.action.subject}`;
}
