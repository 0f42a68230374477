import { expect } from 'chai';
import { agentId, nodeId } from '../../src/core/ids.ts';
import { Liveness } from '../../src/node/liveness.ts';
import type { Agent } from '../../src/registry/agent.ts';

const [n1, n2] = [nodeId('n1'), nodeId('n2')];
const agent: Agent = {
  id: agentId('a'),
  generation: 2,
  node: 'n1',
  state: 'up',
  load: 0,
  registeredIndex: 2,
  capabilities: [],
  swarms: [],
  concurrency: 1,
  weight: 1,
  labels: {},
  ttlMs: 2000,
  role: undefined,
  group: undefined,
};

describe('node: when agents were last heard', () => {
  it('keeps the newest sign and the newest report, in whatever order they come', () => {
    const liveness = new Liveness();
    const said = { report: { status: 'busy' as const }, atMs: 100 };

    liveness.beat(agent.id, 2, { atMs: 300, by: n2 });
    liveness.beat(agent.id, 2, { atMs: 100, by: n1, said });
    liveness.beat(agent.id, 2, { atMs: 200, by: n1, said: { report: { status: 'available' }, atMs: 50 } });

    expect(liveness.sign(agent)).to.include({ atMs: 300, by: n2 });
    expect(liveness.sign(agent)?.said).to.deep.equal(said);
    expect(liveness.silenceMs(agent, 1000)).to.equal(700);
  });

  it('forgets what was said under an earlier registration, and hears no more of it', () => {
    const liveness = new Liveness();
    liveness.beat(agent.id, 1, { atMs: 10, by: n1, said: { report: { status: 'draining' }, atMs: 10 } });

    liveness.beat(agent.id, 2, { atMs: 20 });
    liveness.beat(agent.id, 1, { atMs: 500, by: n1 });

    expect(liveness.sign(agent)?.said).to.equal(undefined);
    expect(liveness.silenceMs(agent, 520)).to.equal(500);
  });

  it('suspects an agent after 1.25 heartbeat intervals, and says what the log says first', () => {
    const liveness = new Liveness();
    liveness.beat(agent.id, 2, { atMs: 0, by: n1, said: { report: { status: 'busy' }, atMs: 0 } });

    expect(liveness.status(agent, 1250)).to.equal('busy');
    expect(liveness.status(agent, 1251)).to.equal('suspect');
    expect(liveness.status({ ...agent, state: 'down' }, 0)).to.equal('down');
  });
});
