import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { DevCluster, json, post, quorate, until } from './dev-cluster.ts';

const fast = ['--heartbeat-ms', '50', '--election-timeout-ms', '500'];

interface Vote {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly proposer: string;
}

describe('end to end: a node that joins a guarded cluster', function () {
  this.timeout(180_000);
  let cluster: DevCluster | undefined;

  afterEach(() => cluster?.down());

  it('becomes a voter by itself where the policies approve, and the members of the next epoch are proven by the chain', async () => {
    cluster = await DevCluster.up(4, ...fast, '--votes-auto-approve', 'membership');
    await cluster.leader();
    const [base = ''] = cluster.endpoints;

    const newcomer = await cluster.join('node-5', base, ...fast, '--votes-auto-approve', 'membership');
    await cluster.votes('node-5', newcomer);
    const chain = join(cluster.directory, 'chain.json');
    const epoch = await quorate('--endpoints', newcomer, 'vote', 'epoch', chain);
    const certificates = (JSON.parse(readFileSync(chain, 'utf8')) as { links: { certificate: string | null }[] }).links;

    expect(epoch.stdout).to.match(/^epoch 1, 5 members/);
    expect(certificates.map(({ certificate }) => typeof certificate)).to.deep.equal(['string']);
  });

  it('ends an epoch; a client that waits for a vote gets the outcome of the one in which it goes on', async () => {
    const up = await DevCluster.up(4, ...fast, '--votes-auto-approve', 'membership');
    cluster = up;
    await up.leader();
    const [base = '', ...others] = up.endpoints;
    const [genesis, cert, chain] = ['genesis.json', 'cert.json', 'chain.json'].map((name) => join(up.directory, name)) as [
      string,
      string,
      string,
    ];
    const first = await until('a vote to be open', async () => {
      const opened = await post(`${base}/v1/votes`, { subject: 'deploy:web', timeoutMs: 600_000 });
      return typeof opened?.['id'] === 'string' ? opened['id'] : undefined;
    });
    const waits = quorate('--endpoints', base, 'vote', 'get', first, '--wait', '-o', 'json');

    const newcomer = await up.join('node-5', others[0] ?? '', ...fast, '--votes-auto-approve', 'membership');
    const second = await until('the vote to go on', async () => {
      const vote = await json(`${others[1]}/v1/votes/${first}`);
      return vote?.['n'] === 5 ? String(vote['id']) : undefined;
    });
    for (const endpoint of [base, ...others]) {
      await until('the ballot', async () => {
        const cast = await post(`${endpoint}/v1/votes/${first}/ballots`, { choice: 'approve' });
        return cast?.['id'] === second || cast?.['code'] === 'wrong_state' ? true : undefined;
      });
    }
    const waited = await waits;
    await quorate('--endpoints', newcomer, 'vote', 'epoch', chain);
    await quorate('--endpoints', base, 'vote', 'cert', first, cert);
    const verified = await quorate('vote', 'verify', cert, '--genesis', genesis, '--chain', chain, '--option', 'approve');

    expect(second).to.not.equal(first);
    expect(waited.code, waited.stderr).to.equal(0);
    expect(JSON.parse(waited.stdout)).to.include({ id: second, outcome: 'approve' });
    expect(verified.code, verified.stdout).to.equal(0);
  });

  it('waits for the opinions of persons where none does; who leads by then makes the change', async () => {
    const up = await DevCluster.up(4, ...fast);
    cluster = up;
    const first = await up.leader();
    const others = up.endpoints.filter((_, node) => node !== first - 1);
    const newcomer = await up.join('node-5', others[0] ?? '', ...fast);
    const open = await until('the vote to be open everywhere', async () => {
      const ids = new Set<string>();
      for (const endpoint of others) {
        const { items = [] } = ((await json(`${endpoint}/v1/votes`)) ?? {}) as { items?: Vote[] };
        if (items.length !== 1) return undefined;
        for (const { id, kind, state } of items) if (kind === 'membership' && state === 'open') ids.add(id);
      }
      return ids.size === 1 ? [...ids][0] : undefined;
    });
    const before = (await json(`${newcomer}/v1/status`))?.['role'];

    await up.dev('kill', first);
    for (const endpoint of others) {
      await until('the ballot', async () => {
        const cast = await post(`${endpoint}/v1/votes/${open}/ballots`, { choice: 'approve' });
        return cast?.['id'] === open || cast?.['code'] === 'wrong_state' ? true : undefined;
      });
    }
    await up.votes('node-5', newcomer);

    expect(before).to.equal('learner');
    expect(await json(`${others[0]}/v1/votes/${open}`)).to.include({ state: 'decided', outcome: 'approve' });
  });
});
