import { expect } from 'chai';
import { DevCluster, json, until } from './dev-cluster.ts';

const body = (value: unknown, method: string): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

describe('end to end: gossip', function () {
  this.timeout(120_000);
  let cluster: DevCluster;

  before(async () => {
    cluster = await DevCluster.up(4);
  });

  after(() => cluster.down());

  it('brings the status of an agent to other nodes though nothing can be decided', async () => {
    const leader = await cluster.leader();
    const [here, there, also] = [1, 2, 3, 4].filter((node) => node !== leader);
    const [a, b] = [here, there].map((node) => cluster.endpoints[(node ?? 0) - 1] ?? '');
    const registered = await json(`${a}/v1/agents/worker`, body({ capabilities: ['x'], ttlMs: 60_000 }, 'PUT'));
    const generation = registered?.['generation'];
    for (const node of [leader, also ?? 0]) await cluster.dev('kill', node);
    await until('a minority to be noticed', async () => ((await json(`${a}/readyz`))?.['status'] === 'ok' ? undefined : true));

    const answer = await json(`${a}/v1/agents/worker/heartbeat`, body({ generation, status: 'busy', load: 3 }, 'POST'));

    expect(JSON.stringify(answer)).to.match(/no_quorum|no_leader|unavailable|timeout/);
    const seen = await until('the other node to know', async () => {
      const agent = await json(`${b}/v1/agents/worker?consistency=local`);
      return agent?.['status'] === 'busy' ? agent : undefined;
    });
    expect(seen).to.include({ heardBy: `node-${here}` });
    for (const age of ['lastSeenMs', 'reportedMs']) expect(seen[age]).to.be.a('number');
    const metrics = await (await fetch(`${b}/metrics`)).text();
    expect(Number(/^quorate_gossip_updates_taken_total (\d+)/m.exec(metrics)?.[1])).to.be.above(0);
    expect(metrics).to.match(/^quorate_gossip_refused_total\{why="forged"\} 0$/m);
  });
});
