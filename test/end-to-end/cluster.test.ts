import { expect } from 'chai';
import { createClient } from '../../src/client/client.ts';
import { DevCluster, json, until } from './dev-cluster.ts';

/** More kills for a long run: `KILLS=50 npx mocha -g 'kill -9'`. */
const kills = Number(process.env['KILLS'] ?? '4');

const put = (endpoint: string, key: string, value: string): Promise<Record<string, unknown> | undefined> =>
  json(`${endpoint}/v1/kv/${key}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ value }) });

describe('end to end: a cluster of real processes', function () {
  this.timeout(90_000 + kills * 10_000);
  let cluster: DevCluster;

  before(async () => {
    cluster = await DevCluster.up(3);
  });

  after(() => cluster.down());

  it('loses no acknowledged write and completes no task twice when nodes are killed with kill -9 under load', async () => {
    const client = createClient({ endpoints: cluster.endpoints, timeoutMs: 30_000 });
    const acknowledged = new Map<string, string>();
    const stop = new AbortController();
    const load = Array.from({ length: 16 }, async (_, lane) => {
      for (let i = 0; !stop.signal.aborted; i++) {
        const value = `${lane}.${i}`;
        await client.kv.put(`lane-${lane}`, value);
        acknowledged.set(`lane-${lane}`, value);
      }
    });
    const { id } = await client.tasks.submit({ id: 'once', type: 'work' });

    for (let kill = 0; kill < kills; kill++) {
      const victim = kill % 2 === 0 ? await cluster.leader() : 1 + (kill % 3);
      const before = acknowledged.size === 0 ? '' : (acknowledged.get('lane-0') ?? '');
      await cluster.dev('kill', victim);
      await until('writes to go on', () => (acknowledged.get('lane-0') !== before ? true : undefined));
      const restarted = await cluster.dev('restart', victim);
      expect(restarted.code, `${restarted.stderr}\n${cluster.logEnd(victim)}`).to.equal(0);
      await until('the node to come back', async () =>
        (await json(`${cluster.endpoints[victim - 1]}/readyz`))?.['status'] === 'ok' ? true : undefined,
      );
    }
    stop.abort();
    await Promise.all(load);

    for (const endpoint of cluster.endpoints) {
      for (const [key, value] of acknowledged) expect((await json(`${endpoint}/v1/kv/${key}`))?.['value'], key).to.equal(value);
      expect((await json(`${endpoint}/v1/tasks/${id}`))?.['state']).to.equal('pending');
    }
    client.close();
  });

  it('serves no stale linearizable read after the leader was paused', async () => {
    const leader = await cluster.leader();
    const paused = cluster.endpoints[leader - 1] ?? '';
    const other = cluster.endpoints.find((endpoint) => endpoint !== paused) ?? '';
    expect(await put(paused, 'pause', 'old')).to.have.property('version');

    await cluster.dev('pause', leader);
    const written = await until('another leader', async () => {
      const answer = await put(other, 'pause', 'new');
      return answer?.['version'] === undefined ? undefined : answer;
    });
    const reading = json(`${paused}/v1/kv/pause`);
    await cluster.dev('resume', leader);
    const read = await reading;

    expect(written).to.have.property('version');
    // Refused or new, never old.
    expect(read?.['value'] ?? 'new').to.equal('new');
    expect(await until('the read to be served', async () => (await json(`${paused}/v1/kv/pause`))?.['value'])).to.equal('new');
  });

  it('refuses what needs a majority at once when there is none, and still answers local reads', async () => {
    const leader = await cluster.leader();
    const endpoint = cluster.endpoints[leader - 1] ?? '';
    expect(await put(endpoint, 'quorum', 'yes')).to.have.property('version');
    const others = [1, 2, 3].filter((node) => node !== leader);

    for (const node of others) await cluster.dev('kill', node);
    const refused = await until('the refusal', async () => {
      const answer = await json(`${endpoint}/v1/kv/quorum`);
      return answer?.['code'] === 'no_quorum' ? answer : undefined;
    });

    expect(refused['status']).to.equal(503);
    expect(await put(endpoint, 'quorum', 'no')).to.include({ code: 'no_quorum', status: 503 });
    expect(await json(`${endpoint}/v1/kv/quorum?consistency=local`)).to.include({ value: 'yes' });
    expect(await json(`${endpoint}/livez`)).to.deep.equal({ status: 'ok' });
    expect(await json(`${endpoint}/readyz`)).to.include({ status: 503 });

    for (const node of others) expect((await cluster.dev('restart', node)).code).to.equal(0);
    expect(await until('a write', async () => (await put(endpoint, 'quorum', 'again'))?.['version'])).to.be.a('number');
  });
});
