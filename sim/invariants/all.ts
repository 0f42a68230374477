import { AppliedIsCommitted, CommitNeverGoesBack, CommitsOwnTerm } from './commit-index.ts';
import { Dedupe } from './dedupe.ts';
import { CommittedIsDurable, DurableBeforeAcknowledged, DurableSurvives } from './durability.ts';
import { MonotonicTerm, OneVotePerTerm } from './durable-votes.ts';
import { ElectionSafety } from './election-safety.ts';
import type { Facts, Invariant } from './invariant.ts';
import { LeaderAppendOnly } from './leader-append-only.ts';
import { LeaderCompleteness } from './leader-completeness.ts';
import { LogMatching } from './log-matching.ts';
import { MembershipOverlap } from './membership-overlap.ts';
import { NoStaleRead, ReadsMatchLog } from './reads.ts';
import { SameLogSameState } from './same-log-same-state.ts';
import { SnapshotMatchesLog } from './snapshot-matches-log.ts';
import { StateMachineSafety } from './state-machine-safety.ts';
import { Violation } from '../violation.ts';
import { CompletedOnce, FencesRise, OneHolderPerFence, TaskNeverLost } from './tasks.ts';

/** Everything that holds in every run, causes before their consequences: the first one told is the one that a run reports. */
export const allInvariants = (facts: Facts): readonly Invariant[] => [
  new MonotonicTerm(),
  new OneVotePerTerm(facts),
  new ElectionSafety(),
  new LeaderCompleteness(facts),
  new LeaderAppendOnly(),
  new LogMatching(),
  new DurableSurvives(),
  new CommitNeverGoesBack(),
  new DurableBeforeAcknowledged(facts),
  new CommitsOwnTerm(),
  new CommittedIsDurable(facts),
  new AppliedIsCommitted(),
  new StateMachineSafety(facts),
  new MembershipOverlap(facts),
  new SnapshotMatchesLog(facts),
  new SameLogSameState(),
  new Dedupe(),
  new OneHolderPerFence(),
  new FencesRise(),
  new CompletedOnce(),
  new TaskNeverLost(),
  new NoStaleRead(),
  new ReadsMatchLog(),
];

/** Holds in no run that is worth anything: proof that a broken invariant is seen and told. */
export class Canary implements Invariant {
  readonly name = 'canary';

  onAcknowledged(index: number): void {
    throw new Violation(this.name, `index ${index} was acknowledged; in a run with a canary nothing may be`);
  }
}
