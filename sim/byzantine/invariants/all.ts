import type { Agreement } from './agreement.ts';
import { BoundedMemory } from './bounded-memory.ts';
import { DecidesInTime } from './decides-in-time.ts';
import { DurableBeforeSent } from './durable-before-sent.ts';
import { FairEvidence } from './fair-evidence.ts';
import { HonestSupport } from './honest-support.ts';
import type { VoteFacts, VoteInvariant } from './invariant.ts';
import { LiarsMoveNobody } from './liars-move-nobody.ts';
import { Monotonic } from './monotonic.ts';
import { OneBallot } from './one-ballot.ts';
import { OneVotePerPhase } from './one-vote-per-phase.ts';
import { ValidWitness } from './valid-witness.ts';

/**
 * Everything that holds in every vote (protocol design 1.13), causes before their consequences: the first one told is the one that a run reports. I7 is about
 * the log, I10 is the hash of a run's trace.
 */
export const voteInvariants = (facts: VoteFacts, agreement: Agreement): readonly VoteInvariant[] => [
  new Monotonic(),
  new OneVotePerPhase(),
  new OneBallot(),
  new LiarsMoveNobody(facts),
  new BoundedMemory(),
  new DurableBeforeSent(),
  agreement,
  new ValidWitness(facts),
  new HonestSupport(facts),
  new FairEvidence(facts),
  new DecidesInTime(facts),
];
