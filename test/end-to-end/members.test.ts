import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { DevCluster, json, quorate, until } from './dev-cluster.ts';

const fast = ['--heartbeat-ms', '50', '--election-timeout-ms', '500'];

describe('end to end: members that come and go', function () {
  this.timeout(120_000);
  let cluster: DevCluster;
  let second: string;
  let third: string;

  before(async () => {
    cluster = await DevCluster.up(1, ...fast);
    await cluster.leader();
  });

  after(() => cluster.down());

  async function joinNode(name: string, base: string): Promise<string> {
    const url = await cluster.join(name, base, ...fast);
    await cluster.votes(name, url);
    return url;
  }

  it('a founder of one that has peers now and loses its store is repaired by them', async () => {
    const [founder = ''] = cluster.endpoints;
    second = await joinNode('second', founder);
    third = await joinNode('third', second);
    await quorate('--endpoints', founder, 'kv', 'put', 'before', '1');
    await cluster.dev('kill', 1);
    rmSync(join(cluster.directory, 'node-1', 'store'), { recursive: true });

    await cluster.dev('restart', 1);

    const found = await until('the founder to serve', async () => {
      const read = await quorate('--endpoints', founder, '-o', 'json', 'kv', 'get', 'before');
      return read.code === 0 ? read.stdout : undefined;
    });
    expect(JSON.parse(found)).to.include({ key: 'before', value: '1' });
  });

  it('a leader that was removed says so, and answers nothing that it cannot know', async () => {
    await until('the second to lead', async () => {
      const moved = await quorate('--endpoints', third, 'member', 'transfer-leader', 'second');
      return moved.code === 0 ? true : undefined;
    });

    // Refused for as long as the founder, which lost its store, has no vote.
    await until('the second to be removed', async () => {
      const outcome = await quorate('--endpoints', third, 'member', 'remove', 'second');
      return outcome.code === 0 ? true : undefined;
    });
    await until('the second to know', async () => ((await json(`${second}/v1/status`))?.['removed'] === true ? true : undefined));
    expect(await json(`${second}/v1/kv/before`)).to.include({ status: 503, code: 'unavailable' });
    expect(await json(`${second}/v1/kv/before?consistency=local`)).to.include({ value: '1' });
    expect(await json(`${second}/readyz`)).to.include({ status: 503 });
    expect((await json(`${third}/v1/status`))?.['removed']).to.equal(false);
  });

  it('a node that was removed while it was down finds that out', async () => {
    const fourth = await joinNode('fourth', third);
    await cluster.dev('kill', 1);
    await until('the founder to be removed', async () => {
      const outcome = await quorate('--endpoints', fourth, 'member', 'remove', 'node-1');
      return outcome.code === 0 ? true : undefined;
    });

    await cluster.dev('restart', 1);

    const status = await until('the founder to know', async () => {
      const told = await json(`${cluster.endpoints[0] ?? ''}/v1/status`);
      return told?.['removed'] === true ? told : undefined;
    });
    expect((status['members'] as { name: string }[]).map(({ name }) => name)).to.have.members(['third', 'fourth']);
  });
});

describe('end to end: a cluster that grows and shrinks under load', function () {
  this.timeout(120_000);

  it('grows from one node to three and five and shrinks to one, and nothing acknowledged is lost', async () => {
    const bench = await quorate('bench', 'members', '--clients', '4', '--seconds', '1', ...fast, '-o', 'json');

    expect(bench.code, bench.stderr).to.equal(0);
    const phases = bench.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { phase: string; acknowledged: number; longestWaitMs?: number; lost?: number });
    expect(phases.map(({ phase }) => phase)).to.deep.equal(['1', '1 to 3', '3', '3 to 5', '5', '5 to 3', '3', '3 to 1', '1', 'all']);
    expect(phases.at(-1)).to.include({ lost: 0 });
    expect(phases.reduce((sum, { acknowledged }) => sum + acknowledged, 0)).to.be.above(100);
  });
});
