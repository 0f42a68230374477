import { expect } from 'chai';
import type { AgentAnswer, Status, TaskAnswer } from '../../../daemon/answers.ts';
import { explainAgent } from '../../../daemon/explain/agent.ts';
import { explainLeader } from '../../../daemon/explain/leader.ts';
import { explainPartition, explainSplit } from '../../../daemon/explain/partition.ts';
import { explainTask } from '../../../daemon/explain/task.ts';
import { explanationText } from '../../../daemon/explain/explanation.ts';
import type { PartitionAnswer, SplitAnswer } from '../../../daemon/partition/answers.ts';
import { run } from '../run.ts';

const agent = (fields: Partial<AgentAnswer>): AgentAnswer => ({
  id: 'a',
  generation: 7,
  capabilities: ['build'],
  swarms: [],
  status: 'available',
  node: 'node-1',
  lastSeenMs: 40,
  heardBy: 'node-1',
  ...fields,
});
const silence = { noticedBy: 'node-2', measure: 'silence', silenceMs: 4100, boundMs: 4000, patience: 2, ageMs: 300 };

const task = (fields: Partial<TaskAnswer>): TaskAnswer => ({
  id: 't',
  type: 'build',
  state: 'pending',
  attempt: 0,
  requires: ['build'],
  priority: 5,
  maxAttempts: 3,
  ...fields,
});

type MatrixRow = PartitionAnswer['rows'][number];
const row = (node: string, hears: readonly string[], fields: Partial<MatrixRow> = {}): MatrixRow => ({
  node,
  ageMs: 50,
  hears: [...hears],
  leader: 'node-2',
  term: 3,
  commitIndex: 9,
  score: 0,
  link: 'up',
  reachedByOthers: false,
  ...fields,
});
const lost = {
  link: 'down',
  evidence: { accuser: 'node-1', measure: 'silence', value: 320, bound: 300, silenceMs: 320, score: 0 },
} as const;

const whole: PartitionAnswer = {
  node: 'node-1',
  state: 'healthy',
  class: 'none',
  degraded: false,
  rows: ['node-1', 'node-2', 'node-3'].map((node) => row(node, ['node-1', 'node-2', 'node-3'])),
  sides: [['node-1', 'node-2', 'node-3']],
  oneWay: [],
  raftOk: true,
  preferredLeaders: ['node-2', 'node-1', 'node-3'],
};
const cut: PartitionAnswer = {
  ...whole,
  state: 'minority',
  class: 'complete',
  rows: [
    row('node-1', [], { leader: undefined, term: 4 }),
    row('node-2', ['node-3'], lost),
    row('node-3', ['node-2'], {
      link: 'suspect',
      evidence: { accuser: 'node-1', measure: 'phi', value: 6.24, bound: 5, silenceMs: 210, score: 1 },
    }),
  ],
  sides: [['node-1'], ['node-2', 'node-3']],
  raftOk: false,
  preferredLeaders: [],
};
const split: SplitAnswer = {
  id: '17-1',
  startMs: 1000,
  detectedMs: 380,
  endMs: 4000,
  class: 'complete',
  sides: [['node-1'], ['node-2', 'node-3']],
  happenings: [{ kind: 'link', atMs: 1300, node: 'node-1', peer: 'node-2', heard: false }],
  report: null,
};
const status: Status = {
  nodeId: '1',
  name: 'node-1',
  clusterId: 'c',
  version: '1',
  role: 'follower',
  term: 3,
  leader: { nodeId: '2', http: '' },
  commitIndex: 9,
  appliedIndex: 9,
  members: ['1', '2', '3'].map((number) => ({ nodeId: number, name: `node-${number}`, http: '', peer: '', voter: true })),
  removed: false,
  partition: { state: 'healthy', reachable: [] },
  logChain: { divergence: null },
};

describe('daemon: explain agent', () => {
  it('says who found it silent, by which measure, and what it holds', () => {
    const down = agent({ status: 'down', evidence: silence });

    const text = explanationText(explainAgent(down, [task({ state: 'running', attempt: 1, fence: 12 })]));

    expect(text.split('\n')).to.deep.equal([
      'agent a is down',
      '  node-2 had not heard it for 4100 ms in which it listened: more than 4000 ms, two of its heartbeats, times 2 since node-2 is slow itself; that was 300 ms ago',
      '  last sign 40 ms ago, heard by node-1',
      '  its tasks went to others; it must register again',
      '  registered at node-1, generation 7, for build',
      '  it holds 1 task:',
      '    t, running, attempt 1, fence 12',
    ]);
  });

  it('says who lost its connection', () => {
    const torn = { ...silence, measure: 'socket_closed', silenceMs: 40, boundMs: 0, patience: 1 };

    const { reasons } = explainAgent(agent({ status: 'suspect', evidence: torn }), []);

    expect(reasons[0]).to.equal('node-2 lost its connection 300 ms ago, without a goodbye, and has not heard of it since');
  });

  it('tells what the log alone says from what was measured', () => {
    const told = { noticedBy: 'node-3', measure: 'log', silenceMs: null, boundMs: 2000, patience: null, ageMs: 12_000 };

    const { reasons } = explainAgent(agent({ status: 'down', evidence: told, lastSeenMs: null }), []);
    const unseen = explainAgent(agent({ status: 'down' }), []);

    expect(reasons[0]).to.equal('node-3 gave it up as the leader, 12.0 s ago; this node never heard it; it must be heard every 2000 ms');
    expect(reasons[1]).to.equal('it was never heard');
    expect(unseen.reasons[0]).to.contain('has not seen why');
  });

  it('accuses nobody who is well', () => {
    expect(explainAgent(agent({}), []).reasons[0]).to.equal('last sign 40 ms ago, heard by node-1');
  });
});

describe('daemon: explain partition', () => {
  it('says who does not hear whom, by which measure, and what the node may do', () => {
    expect(explanationText(explainPartition(cut, [split])).split('\n')).to.deep.equal([
      'node-1: minority; it sees a split, complete: node-1 | node-2 node-3',
      '  node-1 may decide nothing: writes and linearizable reads are refused (no_quorum), reads with --consistency local are answered; another side may decide',
      '  node-1 does not hear node-2: silent for 320 ms, the bound is 300 ms',
      '  node-1 may not hear node-3: phi 6.2 after 210 ms of silence, the bound is 5, stretched since the judge was slow itself (health 1 of 8)',
      '  node-2 does not hear node-1, as it said 50 ms ago',
      '  node-3 does not hear node-1, as it said 50 ms ago',
      '  1 split on record; the last, 17-1 (complete), lasted 3000 ms',
    ]);
  });

  it('is short when all is well', () => {
    expect(explainPartition(whole, [])).to.deep.equal({
      verdict: 'node-1: healthy; it sees no split',
      reasons: ['node-1 decides as ever'],
    });
  });

  it('says of a large cluster who accused whom', () => {
    const of = (measure: string, value: number, bound: number): string | undefined =>
      explainPartition(
        {
          ...cut,
          rows: [row('node-2', [], { link: 'down', evidence: { accuser: 'node-3', measure, value, bound, silenceMs: 0, score: 0 } })],
        },
        [],
      ).reasons[1];

    expect(of('told', 3, 4)).to.equal('node-1 does not hear node-2: node-3 suspected it first, and 2 more agreed');
    expect(of('told', 1, 1)).to.equal('node-1 does not hear node-2: node-3 says so');
    expect(of('probe', 1000, 1000)).to.equal(
      'node-1 does not hear node-2: neither it nor those who probed it for the judge answered within 1000 ms',
    );
  });

  it('tells of a past split who lost whom, and when', () => {
    expect(explainSplit(split, () => '').reasons).to.deep.equal([
      'began 1970-01-01T00:00:01.000Z, lasted 3000 ms, was named after 380 ms',
      'after 300 ms node-1 did not hear node-2',
      'there is no report of its healing',
    ]);
  });
});

describe('daemon: explain leader', () => {
  it('says who leads, whom it hears and who follows', () => {
    expect(explainLeader(status, whole)).to.deep.equal({
      verdict: 'node-2 leads in term 3: a majority elected it, and it leads until it hears none or another is elected',
      reasons: ['node-2 hears 3 of 3 voters (node-1, node-2, node-3); a majority is 2', 'node-1, node-2, node-3 say that it leads'],
    });
  });

  it('says why nobody leads', () => {
    const { verdict, reasons } = explainLeader({ ...status, term: 4, leader: null }, cut);

    expect(verdict).to.equal('node-1 knows of no leader in term 4');
    expect(reasons.slice(0, 2)).to.deep.equal([
      'no node that is heard here hears a majority: none can be elected',
      'node-1 hears 1 of 3 voters (node-1); a majority is 2',
    ]);
    expect(reasons).to.contain('node-2 knows node-2 in term 3, as it said 50 ms ago');
  });
});

describe('daemon: explain task', () => {
  it('says what it waits for', () => {
    const able = [agent({ status: 'busy' }), agent({ status: 'down' }), agent({ status: 'busy' })];

    expect(explainTask(task({}), []).reasons[0]).to.equal('it requires build, and no registered agent can do that');
    expect(explainTask(task({}), able).reasons[0]).to.equal(
      'it requires build: 3 agents can do that (2 busy, 1 down); it waits until one of them is free',
    );
  });

  it('says who holds it, by which fence, and how it came to that', () => {
    const history = [
      { index: 5, state: 'pending', agent: null, reason: 'submitted' },
      { index: 6, state: 'running', agent: 'a', reason: null },
    ];

    const { verdict, reasons } = explainTask(task({ state: 'running', attempt: 1, agent: 'a', fence: 6, history }), []);

    expect(verdict).to.equal('task t (build) is running');
    expect(reasons).to.deep.equal([
      'a holds it by fence 6: a result under any other fence is refused',
      'attempt 1 of 3, priority 5',
      '  at index 5 pending: submitted',
      '  at index 6 running (a)',
    ]);
  });
});

describe('daemon: explain, used wrongly', () => {
  it('ends with 2 without the name of an agent or a task, and with 4 when nobody listens', async () => {
    expect((await run('explain', 'agent')).code).to.equal(2);
    expect((await run('explain', 'task')).code).to.equal(2);
    expect((await run('explain', 'leader', '--endpoints', 'http://127.0.0.1:1')).code).to.equal(4);
  });
});
