import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Genesis } from '../../src/node/genesis.ts';
import { DevCluster, json, type Outcome, quorate, until } from './dev-cluster.ts';

interface Wanted {
  readonly kind: string;
  readonly subject: string;
  readonly payload: string;
}

describe('end to end: decisions that are carried out', function () {
  this.timeout(180_000);
  let cluster: DevCluster;
  let base: string;
  let last: string;

  before(async () => {
    cluster = await DevCluster.up(5, '--heartbeat-ms', '50', '--election-timeout-ms', '500', '--votes-auto-approve', '*');
    await cluster.leader();
    base = cluster.endpoints[1] ?? '';
    const genesis = JSON.parse(readFileSync(inDirectory('genesis.json'), 'utf8')) as Genesis;
    last = genesis.members[4]?.nodeId ?? '';
  });

  after(() => cluster.down());

  const run = (...args: string[]): Promise<Outcome> => quorate('--endpoints', base, ...args);
  const inDirectory = (name: string): string => join(cluster.directory, name);

  /** Has the members vote, and writes their certificate. */
  async function approve(name: string, { kind, subject, payload }: Wanted): Promise<string> {
    const file = inDirectory(name);
    await until(`a vote on ${subject}`, async () => {
      const vote = await run(
        'vote',
        'open',
        subject,
        '--kind',
        kind,
        '--payload',
        payload,
        '--wait',
        '--cert',
        file,
        '--expect',
        'approve',
      );
      return vote.code === 0 ? true : undefined;
    });
    return file;
  }

  it('a secret is handed out only once its unlocking was voted on', async () => {
    await run('secret', 'put', 'token', 'hush');
    const locked = await run('secret', 'get', 'token');
    const unlock = await approve('unlock.json', { kind: 'secret-unlock', subject: 'secret:token', payload: '{"forMs":600000}' });

    const other = await run('vote', 'enact', unlock, '--payload', '{"forMs":1}');
    const enacted = await run('vote', 'enact', unlock, '--payload', '{"forMs":600000}');
    const unlocked = await run('secret', 'get', 'token');
    const listed = await run('vote', 'decisions', '--kind', 'secret-unlock', '-o', 'json');

    expect(locked).to.include({ code: 7, stdout: '' });
    expect(locked.stderr).to.match(/quorate vote open 'secret:token' --kind secret-unlock/);
    expect(other.code, other.stderr).to.equal(7);
    expect(enacted.code, enacted.stderr).to.equal(0);
    expect(unlocked).to.include({ code: 0, stdout: 'hush\n' });
    expect(JSON.parse(listed.stdout)).to.have.nested.property('items[0].subject', 'secret:token');
  });

  it('a voter goes only by a certificate; the others vote on, and their certificates are verified offline by the chain', async () => {
    const refused = await run('member', 'remove', 'node-5');
    const wanted = await json(`${base}/v1/members/${last}`, { method: 'DELETE' });
    const evict = await approve('evict.json', wanted as unknown as Wanted);

    const removed = await run('member', 'remove', 'node-5', '--certificate', evict);
    const chain = inDirectory('chain.json');
    const shown = await run('vote', 'epoch', chain);
    const later = await approve('later.json', { kind: 'deployment-approve', subject: 'deploy:web', payload: 'v2' });
    const enacted = await run('vote', 'enact', later, '--payload', 'v2');
    const genesis = inDirectory('genesis.json');

    expect(refused).to.include({ code: 7 });
    expect(wanted).to.include({ status: 409, code: 'certificate_required', kind: 'evict' });
    expect(removed.code, removed.stderr).to.equal(0);
    expect(shown.stdout).to.match(/^epoch 1, 4 members/);
    expect(enacted.code, enacted.stderr).to.equal(0);
    expect((await quorate('vote', 'verify', later, '--genesis', genesis)).stdout).to.match(/wrong_epoch/);
    expect(await quorate('vote', 'verify', later, '--genesis', genesis, '--chain', chain)).to.include({ code: 0 });
    expect((await run('vote', 'cert', (JSON.parse(readFileSync(evict, 'utf8')) as { id: string }).id)).code).to.equal(0);
  });

  it('refuses what is no certificate, and says so', async () => {
    const post = (body: unknown) =>
      json(`${base}/v1/decisions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

    expect(await post({ certificate: 'AAAA' })).to.include({ status: 400, code: 'bad_certificate' });
    expect(await post({ certificate: '?' })).to.include({ status: 400, code: 'invalid_argument' });
    expect(await post({})).to.include({ status: 400, code: 'invalid_argument' });
  });
});
