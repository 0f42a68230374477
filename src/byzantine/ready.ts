import type { Ballot, Expiry, SignedBallot, SignedExpiry } from './ballot.ts';
import type { Evidence } from './evidence.ts';
import type { Outgoing } from './messages.ts';
import type { Statement } from './statement.ts';
import { firstStatement } from './statement.ts';
import type { Value, Witness } from './witness.ts';

/** What a member must not forget of an instance. Whoever lost it must not vote in this epoch any more. */
export interface Memory {
  readonly statement: Statement;
  readonly ballot: SignedBallot | undefined;
  readonly expiry: SignedExpiry | undefined;
  /** For values that the statement names or named, at most `maxWitnesses`. A witness never changes: one that was saved need not be written again. */
  readonly witnesses: readonly Witness[];
}

/** Of a member that knows the proposal and has said nothing of it yet. */
export const emptyMemory = (boot: number): Memory => ({
  statement: firstStatement(boot),
  ballot: undefined,
  expiry: undefined,
  witnesses: [],
});

/**
 * Outstanding work, handed over whole. The driver, in this order: signs `toSign`, in one batch with other instances, and gives it back by `signed`; makes
 * `save` durable; sends `messages`; acts on the rest. A failed write stops the node.
 */
export interface Ready {
  readonly toSign: readonly (Ballot | Expiry)[];
  /** The whole memory, when it has changed. */
  readonly save: Memory | undefined;
  /** Only once `save` is on disk: what a member has said it must not forget. */
  readonly messages: readonly Outgoing[];
  /** Once a boot. Not to be acted on: it is attested, and a certificate of a quorum's attestations is acted on. */
  readonly decided: Witness | undefined;
  readonly evidence: readonly Evidence[];
  /** Once: two values that have both what it takes to be decided. More than F members lie; the instance has stopped. */
  readonly breach: readonly Value[] | undefined;
}
