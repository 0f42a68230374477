import { expect } from 'chai';
import { agentId, taskId } from '../../src/core/ids.ts';
import { emptyBytes } from '../../src/core/bytes.ts';
import { nobleHashes } from '../../src/crypto/noble.ts';
import type { ChainHead } from '../../src/node/head-ring.ts';
import { genesisChain, LogChain } from '../../src/node/log-chain.ts';
import { configurationOf } from '../../src/raft/configuration.ts';
import type { Entry, SnapshotMeta } from '../../src/raft/messages.ts';
import type { StateEvent } from '../../src/tasks/events.ts';
import { ClusterState } from '../../src/tasks/state.ts';
import type { TaskState } from '../../src/tasks/task.ts';
import { allInvariants, Canary } from '../../sim/invariants/all.ts';
import { AppliedIsCommitted } from '../../sim/invariants/applied-is-committed.ts';
import { ChainIsOfTheLog } from '../../sim/invariants/chain-is-of-the-log.ts';
import { CommitNeverGoesBack } from '../../sim/invariants/commit-never-goes-back.ts';
import { CommitsOwnTerm } from '../../sim/invariants/commits-own-term.ts';
import { Dedupe } from '../../sim/invariants/dedupe.ts';
import { CommittedIsDurable } from '../../sim/invariants/committed-is-durable.ts';
import { DurableBeforeAcknowledged } from '../../sim/invariants/durable-before-acknowledged.ts';
import { DurableSurvives } from '../../sim/invariants/durable-survives.ts';
import { MonotonicTerm } from '../../sim/invariants/monotonic-term.ts';
import { OneVotePerTerm } from '../../sim/invariants/one-vote-per-term.ts';
import { ElectionSafety } from '../../sim/invariants/election-safety.ts';
import { LeaderAppendOnly } from '../../sim/invariants/leader-append-only.ts';
import { LeaderCompleteness } from '../../sim/invariants/leader-completeness.ts';
import { LogMatching } from '../../sim/invariants/log-matching.ts';
import { MembershipOverlap } from '../../sim/invariants/membership-overlap.ts';
import { NoStaleRead } from '../../sim/invariants/no-stale-read.ts';
import { ReadsMatchLog } from '../../sim/invariants/reads-match-log.ts';
import { SameLogSameState } from '../../sim/invariants/same-log-same-state.ts';
import { SnapshotMatchesLog } from '../../sim/invariants/snapshot-matches-log.ts';
import { StateMachineSafety } from '../../sim/invariants/state-machine-safety.ts';
import { CompletedOnce } from '../../sim/invariants/completed-once.ts';
import { FencesRise } from '../../sim/invariants/fences-rise.ts';
import { HealedMeansEqual } from '../../sim/invariants/healed-means-equal.ts';
import { NoFalseLoss } from '../../sim/invariants/no-false-loss.ts';
import { OneHolderPerFence } from '../../sim/invariants/one-holder-per-fence.ts';
import { TaskNeverLost } from '../../sim/invariants/task-never-lost.ts';
import { Violation } from '../../sim/violation.ts';
import {
  deed,
  diskOf,
  entry,
  factsOf,
  grantedVote,
  hardState,
  holdsUpTo,
  n1,
  n2,
  n3,
  n4,
  node,
  stored,
  three,
} from './invariants-support.ts';

interface Story {
  /** What is told. */
  readonly of: string;
  readonly good: () => void;
  readonly bad: () => void;
}

const log = [entry(1, 1), entry(2, 1), entry(3, 2)];
const meta = (index: number, term: number): SnapshotMeta => ({ index, term, configuration: three, chain: new Uint8Array(32) });
const [task, one, two] = [taskId('task'), agentId('one'), agentId('two')];

const taskEvent = (index: number, state: TaskState, fence: number, agent = one): StateEvent => ({
  kind: 'task',
  index,
  ts: 0,
  task,
  type: 'work',
  state,
  attempt: 1,
  fence,
  agent,
  reason: undefined,
});
const assigned = (index: number, fence: number, agent = one) =>
  deed(index, { op: 'AssignTasks', assignments: [] }, [taskEvent(index, 'assigned', fence, agent)]);
const succeeded = (index: number) =>
  deed(index, { op: 'CompleteTask', task, fence: 1, result: '1' }, [taskEvent(index, 'succeeded', 1)], { idempotencyKey: `${index}` });
const put = (index: number, value: string, seq = index) =>
  deed(index, { op: 'PutKey', key: 'k', value, ifVersion: undefined }, [{ kind: 'key', index, ts: 0, key: 'k', version: index }], { seq });

/** Of a cluster by the name of `simulated`. */
function headsOf(entries: readonly Entry[]): ChainHead[] {
  const hashes = new LogChain(nobleHashes, { index: 0, chain: genesisChain(nobleHashes, 'simulated') });
  return entries.map((each) => {
    hashes.add(each);
    return hashes.head;
  });
}

/** Told that a node applied the log and has these heads. */
function chain(heads: readonly ChainHead[]): ChainIsOfTheLog {
  const invariant = new ChainIsOfTheLog(factsOf(log, []));
  for (const [at, head] of heads.entries()) invariant.onApplied(node({ head }), log[at] ?? entry(1, 1), true);
  return invariant;
}

const stories: Readonly<Record<string, readonly Story[]>> = {
  'election-safety': [
    {
      of: 'two leaders',
      good: () => elect([node({ id: n1, term: 1 }), node({ id: n2, term: 2 }), node({ id: n1, term: 1 })]),
      bad: () => elect([node({ id: n1, term: 1 }), node({ id: n2, term: 1 })]),
    },
  ],
  'leader-append-only': [
    {
      of: 'a write that cuts the log',
      good: () => {
        const invariant = new LeaderAppendOnly();
        invariant.onSaving(node({ role: 'leader', disk: diskOf(log) }), { entries: [entry(4, 3)] });
        invariant.onSaving(node({ role: 'follower', disk: diskOf(log) }), { entries: [entry(3, 3)] });
      },
      bad: () => new LeaderAppendOnly().onSaving(node({ role: 'leader', disk: diskOf(log) }), { entries: [entry(3, 3)] }),
    },
  ],
  'log-matching': [
    { of: 'the same entry', good: () => write([entry(3, 2)], [entry(3, 2)]), bad: () => write([entry(3, 2)], [entry(3, 2, 'other')]) },
    { of: 'the entry before', good: () => write(log, log), bad: () => write(log, [entry(1, 1), entry(2, 2), entry(3, 2)]) },
  ],
  'leader-completeness': [
    {
      of: 'a new leader',
      good: () => new LeaderCompleteness(factsOf(log, [])).onElected(node({ term: 3, log })),
      bad: () => new LeaderCompleteness(factsOf(log, [])).onElected(node({ term: 3, log: log.slice(0, 2) })),
    },
    {
      of: 'a late leader of an old term',
      good: () => new LeaderCompleteness(factsOf(log, [])).onElected(node({ term: 2, log: log.slice(0, 2) })),
      bad: () => new LeaderCompleteness(factsOf(log, [])).onElected(node({ term: 2, log: log.slice(0, 1) })),
    },
    {
      of: 'a leader that was paused while a later one committed what an earlier one had left',
      good: () => new LeaderCompleteness(factsOf(log, [], 5)).onElected(node({ term: 4, log: log.slice(0, 2) })),
      bad: () => new LeaderCompleteness(factsOf(log, [], 5)).onElected(node({ term: 6, log: log.slice(0, 2) })),
    },
  ],
  'state-machine-safety': [
    {
      of: 'an entry that others applied',
      good: () => new StateMachineSafety(factsOf(log, [])).onApplied(node({}), entry(3, 2), false),
      bad: () => new StateMachineSafety(factsOf(log, [])).onApplied(node({}), entry(3, 2, 'other'), false),
    },
    {
      of: 'an entry that is the first',
      good: () => new StateMachineSafety(factsOf(log, [])).onApplied(node({}), entry(3, 2), true),
      bad: () => new StateMachineSafety(factsOf([entry(1, 1), entry(3, 2)], [])).onApplied(node({}), entry(3, 2), true),
    },
  ],
  'monotonic-term': [
    {
      of: 'a saved term',
      good: () => new MonotonicTerm().onSaving(node({ disk: diskOf(log) }), { hardState: hardState(2) }),
      bad: () => new MonotonicTerm().onSaving(node({ disk: diskOf(log) }), { hardState: hardState(1) }),
    },
    {
      of: 'a term after a crash',
      good: () => new MonotonicTerm().onStart(n1, diskOf(log), stored([], hardState(0, undefined, 0, 99))),
      bad: () => new MonotonicTerm().onStart(n1, diskOf(log), stored(log, hardState(1))),
    },
  ],
  'one-vote-per-term': [
    {
      of: 'a saved vote',
      good: () =>
        new OneVotePerTerm(factsOf([], [])).onSaving(node({ disk: diskOf([], hardState(2, n2)) }), { hardState: hardState(3, n3) }),
      bad: () =>
        new OneVotePerTerm(factsOf([], [])).onSaving(node({ disk: diskOf([], hardState(2, n2)) }), { hardState: hardState(2, n3) }),
    },
    {
      of: 'a vote after a crash',
      good: () => new OneVotePerTerm(factsOf([], [])).onStart(n1, diskOf([], hardState(2, n2)), stored([], hardState(2, n2))),
      bad: () => new OneVotePerTerm(factsOf([], [])).onStart(n1, diskOf([], hardState(2, n2)), stored([], hardState(2))),
    },
    {
      of: 'a vote that is counted',
      good: () => count(hardState(2, n1)),
      bad: () => count(hardState(2)),
    },
  ],
  'commit-never-goes-back': [
    { of: 'the life of a node', good: () => commit([1, 2]), bad: () => commit([2, 1]) },
    {
      of: 'a crash',
      good: () => new CommitNeverGoesBack().onStart(n1, diskOf(log, hardState(2, n1, 2)), stored(log, hardState(2, n1, 3))),
      bad: () => new CommitNeverGoesBack().onStart(n1, diskOf(log, hardState(2, n1, 2)), stored(log, hardState(2, n1, 1))),
    },
  ],
  'commits-own-term': [
    {
      of: 'a leader',
      good: () => new CommitsOwnTerm().onCommitted(node({ role: 'leader', term: 2, log }), 3),
      bad: () => new CommitsOwnTerm().onCommitted(node({ role: 'leader', term: 3, log }), 3),
    },
  ],
  'applied-is-committed': [
    {
      of: 'an entry',
      good: () => new AppliedIsCommitted().onApplied(node({ commitIndex: 3 }), entry(3, 2)),
      bad: () => new AppliedIsCommitted().onApplied(node({ commitIndex: 2 }), entry(3, 2)),
    },
    {
      of: 'a turn',
      good: () => new AppliedIsCommitted().afterTurn(node({ commitIndex: 3, appliedIndex: 2 })),
      bad: () => new AppliedIsCommitted().afterTurn(node({ commitIndex: 2, appliedIndex: 3 })),
    },
  ],
  'durable-before-acknowledged': [
    {
      of: 'what a client is told',
      good: () => new DurableBeforeAcknowledged(factsOf(log, [n1, n3])).onAcknowledged(3),
      bad: () => new DurableBeforeAcknowledged(factsOf(log, [n1, n4])).onAcknowledged(3),
    },
    {
      of: 'what a lost disk had held',
      good: () => acknowledgeAfterLoss([n1, n3]),
      bad: () => acknowledgeAfterLoss([n3]),
    },
    {
      of: 'what a follower says',
      good: () => new DurableBeforeAcknowledged(factsOf(log, [n2])).onStep(node({}), n2, holdsUpTo(3, 2)),
      bad: () => new DurableBeforeAcknowledged(factsOf(log, [n2])).onStep(node({}), n2, holdsUpTo(4, 2)),
    },
  ],
  'committed-is-durable': [
    {
      of: 'a commit index',
      good: () => new CommittedIsDurable(factsOf(log, [n1, n2])).onCommitted(node({ log }), 3),
      bad: () => new CommittedIsDurable(factsOf(log, [n1])).onCommitted(node({ log }), 3),
    },
    {
      of: 'a joint configuration',
      good: () => new CommittedIsDurable(factsOf(log, [n1, n2, n4])).onCommitted(node({ log, configuration: joint }), 3),
      bad: () => new CommittedIsDurable(factsOf(log, [n2, n3])).onCommitted(node({ log, configuration: joint }), 3),
    },
    {
      of: 'a log that is cut',
      good: () =>
        new CommittedIsDurable(factsOf(log, [])).onSaving(node({ disk: diskOf([...log, entry(4, 2)]) }), { entries: [entry(4, 3)] }),
      bad: () =>
        new CommittedIsDurable(factsOf(log, [])).onSaving(node({ disk: diskOf([...log, entry(4, 2)]) }), { entries: [entry(3, 3)] }),
    },
  ],
  'durable-survives': [
    {
      of: 'a log after a crash',
      good: () => new DurableSurvives().onStart(n1, diskOf(log), stored(log, hardState(2))),
      bad: () => new DurableSurvives().onStart(n1, diskOf(log), stored(log.slice(0, 2), hardState(2))),
    },
    { of: 'a write in flight', good: () => startInFlight(4), bad: () => startInFlight(5) },
    {
      of: 'term and vote',
      good: () => new DurableSurvives().onStart(n1, diskOf([], hardState(2, n1)), stored([], hardState(2, n1))),
      bad: () => new DurableSurvives().onStart(n1, diskOf([], hardState(2, n1)), stored([], hardState(3))),
    },
  ],
  'membership-overlap': [
    { of: 'a change of one voter', good: () => change(configurationOf([n1, n2, n3, n4])), bad: () => change(configurationOf([n3, n4])) },
    { of: 'a joint configuration', good: () => change(joint), bad: () => change({ ...joint, outgoing: [n4] }) },
    {
      of: 'other nodes',
      good: () => new MembershipOverlap(factsOf(log, [])).onSnapshotTaken(node({}), meta(3, 2)),
      bad: () => new MembershipOverlap(factsOf(log, [])).onSnapshotTaken(node({}), { ...meta(3, 2), configuration: joint }),
    },
    {
      of: 'proposals of a leader',
      good: () =>
        new MembershipOverlap(factsOf([], [])).onSaving(node({ role: 'leader' }), { entries: [entry(1, 1, '', 'configuration')] }),
      bad: () =>
        new MembershipOverlap(factsOf([], [])).onSaving(node({ role: 'leader' }), {
          entries: [entry(1, 1, '', 'configuration'), entry(2, 1, '', 'configuration')],
        }),
    },
  ],
  'chain-is-of-the-log': [
    {
      of: "a node's chain",
      good: () => chain(headsOf(log)),
      bad: () => chain([...headsOf(log).slice(0, 2), { index: 3, chain: genesisChain(nobleHashes, 'simulated') }]),
    },
    {
      of: 'a snapshot',
      good: () => chain(headsOf(log)).onSnapshotTaken(node({}), { ...meta(2, 1), chain: headsOf(log)[1]?.chain ?? emptyBytes }),
      bad: () => chain(headsOf(log)).onSnapshotInstalled(node({}), { ...meta(2, 1), chain: headsOf(log)[2]?.chain ?? emptyBytes }),
    },
    {
      of: 'the log of a peer',
      good: () => new ChainIsOfTheLog({ ...factsOf(log, []), rewritten: new Set([n2]) }).afterTurn(node({ differing: [n2] })),
      bad: () => new ChainIsOfTheLog(factsOf(log, [])).afterTurn(node({ differing: [n2] })),
    },
  ],
  'snapshot-matches-log': [
    {
      of: 'its place',
      good: () => new SnapshotMatchesLog(factsOf(log, [])).onSnapshotInstalled(node({}), meta(3, 2)),
      bad: () => new SnapshotMatchesLog(factsOf(log, [])).onSnapshotInstalled(node({}), meta(3, 1)),
    },
    { of: 'its bytes', good: () => writeTwo(1, 1), bad: () => writeTwo(1, 2) },
  ],
  'same-log-same-state': [
    {
      of: 'whole states',
      good: () => hashTwo('same', 'same'),
      bad: () => hashTwo('one', 'other'),
    },
    {
      of: 'single commands',
      good: () => carryOut(new SameLogSameState(), [put(1, 'a'), put(1, 'a')]),
      bad: () => carryOut(new SameLogSameState(), [put(1, 'a'), { ...put(1, 'a'), effects: [] }]),
    },
  ],
  dedupe: [
    {
      of: 'a command of a session',
      good: () => carryOut(new Dedupe(), [put(1, 'a'), put(2, 'b'), { ...put(3, 'a', 1), effects: [] }]),
      bad: () => carryOut(new Dedupe(), [put(1, 'a'), put(3, 'b', 1)]),
    },
    {
      of: 'a value that is written once',
      good: () => carryOut(new Dedupe(), [put(1, 'a'), put(3, 'b')]),
      bad: () => carryOut(new Dedupe(), [put(1, 'a'), put(3, 'a')]),
    },
  ],
  'one-holder-per-fence': [
    {
      of: 'the log',
      good: () => carryOut(new OneHolderPerFence(), [assigned(1, 10), assigned(2, 11, two)]),
      bad: () => carryOut(new OneHolderPerFence(), [assigned(1, 10), assigned(2, 10, two)]),
    },
    { of: 'who is told', good: () => claim(one), bad: () => claim(two) },
  ],
  'fences-rise': [
    {
      of: 'assignments',
      good: () => carryOut(new FencesRise(), [assigned(1, 10), assigned(2, 11)]),
      bad: () => carryOut(new FencesRise(), [assigned(1, 10), assigned(2, 9)]),
    },
  ],
  'completed-once': [
    {
      of: 'the log',
      good: () => carryOut(new CompletedOnce(), [assigned(1, 10), succeeded(2)]),
      bad: () => carryOut(new CompletedOnce(), [succeeded(1), succeeded(2)]),
    },
    { of: 'agents', good: () => complete('1', '1'), bad: () => complete('1', '2') },
    { of: 'the healed state', good: () => new CompletedOnce().onWhole(new ClusterState()), bad: () => completeAndLose() },
  ],
  'task-never-lost': [
    { of: 'a submission', good: () => submit(true), bad: () => submit(false) },
    {
      of: 'the healed state',
      good: () => new TaskNeverLost().onWhole(new ClusterState()),
      bad: () => submit(true).onWhole(new ClusterState()),
    },
  ],
  'no-stale-read': [{ of: 'a read', good: () => readAt(5, 5), bad: () => readAt(4, 5) }],
  'reads-match-log': [
    {
      of: 'the moment that it names',
      good: () => written().onRead({ consistency: 'local', key: 'k', found: { key: 'k', value: 'a', version: 1 }, index: 1, after: 9 }),
      bad: () => written().onRead({ consistency: 'local', key: 'k', found: { key: 'k', value: 'a', version: 1 }, index: 2, after: 0 }),
    },
    {
      of: 'the healed state',
      good: () => new ReadsMatchLog().onWhole(new ClusterState()),
      bad: () => written().onWhole(new ClusterState()),
    },
  ],
  'healed-means-equal': [
    {
      of: 'a log that is behind',
      good: () =>
        new HealedMeansEqual().onHealed(node({ log }), 3, [node({ id: n1, disk: diskOf(log) }), node({ id: n2, disk: diskOf(log) })]),
      bad: () => new HealedMeansEqual().onHealed(node({ log }), 3, [node({ id: n2, disk: diskOf(log.slice(0, 2)) })]),
    },
    {
      of: 'another entry at that index',
      good: () => new HealedMeansEqual().onHealed(node({ log }), 0, [node({ id: n2 })]),
      bad: () => new HealedMeansEqual().onHealed(node({ log }), 3, [node({ id: n2, disk: diskOf([...log.slice(0, 2), entry(3, 1)]) })]),
    },
  ],
  'no-false-loss': [
    {
      of: 'a link whose frames come',
      good: () => {
        new NoFalseLoss().onLinkLost(node({}), n2, 300, false);
        new NoFalseLoss().onLinkLost(node({}), n2, 120, true);
      },
      bad: () => new NoFalseLoss().onLinkLost(node({}), n2, 120, false),
    },
  ],
  canary: [{ of: 'anything', good: () => undefined, bad: () => new Canary().onAcknowledged(1) }],
};

const joint = { ...configurationOf([n1, n2, n4]), outgoing: [n1, n2, n3] };

function elect(leaders: readonly ReturnType<typeof node>[]): void {
  const invariant = new ElectionSafety();
  for (const leader of leaders) invariant.onElected(leader);
}

function write(...logs: (typeof log)[]): void {
  const invariant = new LogMatching();
  for (const entries of logs) invariant.onSaving(node({}), { entries });
}

function count(state: ReturnType<typeof hardState>): void {
  const facts = factsOf([], []);
  facts.disks.set(n2, diskOf([], state));
  new OneVotePerTerm(facts).onStep(node({ id: n1, role: 'candidate', term: 2 }), n2, grantedVote(2));
}

function commit(indices: readonly number[]): void {
  const invariant = new CommitNeverGoesBack();
  for (const index of indices) invariant.onCommitted(node({}), index);
}

/** n1 loses its disk, after some nodes held the whole log. */
function acknowledgeAfterLoss(holders: Parameters<typeof factsOf>[1]): void {
  const facts = factsOf(log, holders);
  facts.disks.get(n1)?.opened(stored([], hardState(0, undefined, 0, 99)));
  new DurableBeforeAcknowledged(facts).onAcknowledged(3);
}

/** A node starts with a log up to here, when an entry at 4 was in flight. */
function startInFlight(lastIndex: number): void {
  const disk = diskOf(log);
  disk.inFlight = { entries: [entry(4, 2)] };
  const found = [...log, entry(4, 2), entry(5, 2)].filter(({ index }) => index <= lastIndex);
  new DurableSurvives().onStart(n1, disk, stored(found, hardState(2)));
}

function change(configuration: typeof three): void {
  const facts = factsOf(log, []);
  facts.agreed.change(4, configuration);
  new MembershipOverlap(facts).onConfiguration(node({}), 4, configuration, true);
}

function writeTwo(...prints: readonly number[]): void {
  const invariant = new SnapshotMatchesLog(factsOf(log, []));
  for (const print of prints) invariant.onSnapshotWritten(node({}), meta(3, 2), print);
}

function hashTwo(first: string, second: string): void {
  const invariant = new SameLogSameState();
  for (const hash of [first, second]) invariant.onApplied(node({ hash }), entry(1024, 1));
}

function carryOut(
  invariant: { onCommand(view: ReturnType<typeof node>, told: ReturnType<typeof deed>): void },
  deeds: readonly ReturnType<typeof deed>[],
): void {
  for (const each of deeds) invariant.onCommand(node({}), each);
}

function claim(agent: typeof one): void {
  const invariant = new OneHolderPerFence();
  carryOut(invariant, [assigned(1, 10)]);
  invariant.onClaimed(agent, task, 10);
}

function complete(...results: readonly string[]): void {
  const invariant = new CompletedOnce();
  for (const result of results) invariant.onCompleted(task, result);
}

function completeAndLose(): void {
  const invariant = new CompletedOnce();
  invariant.onCompleted(task, '1');
  invariant.onWhole(new ClusterState());
}

function submit(isInLog: boolean): TaskNeverLost {
  const invariant = new TaskNeverLost();
  const backoff = { baseMs: 1, factor: 1, maxMs: 1 };
  const limits = { priority: 0, maxAttempts: 1, leaseMs: 1, deadlineMs: undefined, delayMs: 0, backoff };
  const submission = { op: 'SubmitTask' as const, task, type: '', payload: '', digest: '', requires: [], swarm: undefined, ...limits };
  if (isInLog) carryOut(invariant, [deed(1, submission, [taskEvent(1, 'pending', 0)])]);
  invariant.onSubmitted(task);
  return invariant;
}

const readAt = (index: number, after: number): void =>
  new NoStaleRead().onRead({ consistency: 'linearizable', key: 'k', found: undefined, index, after });

function written(): ReadsMatchLog {
  const invariant = new ReadsMatchLog();
  carryOut(invariant, [put(1, 'a'), put(2, 'b')]);
  return invariant;
}

describe('invariants', () => {
  for (const [name, all] of Object.entries(stories)) {
    for (const { of, good, bad } of all) {
      it(`${name} accepts what is right about ${of} and refuses what is wrong`, () => {
        expect(good).not.to.throw();

        expect(bad).to.throw(Violation).with.property('invariant', name);
      });
    }
  }

  it('are all told here', () => {
    expect(Object.keys(stories)).to.have.members([...allInvariants(factsOf([], [])).map(({ name }) => name), 'canary']);
  });
});
