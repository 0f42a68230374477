import { AppliedIsCommitted } from './applied-is-committed.ts';
import { ChainIsOfTheLog } from './chain-is-of-the-log.ts';
import { CommitNeverGoesBack } from './commit-never-goes-back.ts';
import { CommitsOwnTerm } from './commits-own-term.ts';
import { Dedupe } from './dedupe.ts';
import { CommittedIsDurable } from './committed-is-durable.ts';
import { DurableBeforeAcknowledged } from './durable-before-acknowledged.ts';
import { DurableSurvives } from './durable-survives.ts';
import { MonotonicTerm } from './monotonic-term.ts';
import { OneVotePerTerm } from './one-vote-per-term.ts';
import { ElectionSafety } from './election-safety.ts';
import type { Facts, Invariant } from './invariant.ts';
import { LeaderAppendOnly } from './leader-append-only.ts';
import { LeaderCompleteness } from './leader-completeness.ts';
import { LogMatching } from './log-matching.ts';
import { MembershipOverlap } from './membership-overlap.ts';
import { NoStaleRead } from './no-stale-read.ts';
import { ReadsMatchLog } from './reads-match-log.ts';
import { SameLogSameState } from './same-log-same-state.ts';
import { SnapshotMatchesLog } from './snapshot-matches-log.ts';
import { StateMachineSafety } from './state-machine-safety.ts';
import { Violation } from '../violation.ts';
import { CompletedOnce } from './completed-once.ts';
import { FencesRise } from './fences-rise.ts';
import { OneHolderPerFence } from './one-holder-per-fence.ts';
import { TaskNeverLost } from './task-never-lost.ts';

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
  new ChainIsOfTheLog(facts),
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
