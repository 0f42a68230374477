import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { decodeConfiguration } from '../../src/byzantine/encoding.ts';
import type { EpochConfiguration } from '../../src/byzantine/epoch.ts';
import { decodeCertificate } from '../../src/byzantine/certificate.ts';
import type { GuardedAction } from '../../src/byzantine/guard.ts';
import { defined } from '../../src/core/assert.ts';
import { nodeHashes } from '../../src/crypto/node.ts';
import type { Genesis } from '../../src/node/genesis.ts';
import { loadIdentity } from '../../src/transport/identity.ts';
import { certificateDocument } from '../../src/verify/document.ts';
import { Electorate } from '../byzantine/electorate.ts';
import { DevCluster, json, type Outcome, quorate } from './dev-cluster.ts';

interface EpochAnswer {
  readonly epoch: number;
  readonly links: readonly { readonly configuration: string }[];
}

describe('end to end: decisions that are carried out', function () {
  this.timeout(120_000);
  let cluster: DevCluster;
  let base: string;
  let seeds: readonly Uint8Array[];
  let founding: EpochConfiguration;
  let last: string;

  before(async () => {
    cluster = await DevCluster.up(5, '--heartbeat-ms', '50', '--election-timeout-ms', '500');
    await cluster.leader();
    base = cluster.endpoints[1] ?? '';
    seeds = [1, 2, 3, 4, 5].map((node) => {
      const key = Buffer.from(readFileSync(join(cluster.directory, `node-${node}`, 'key'), 'utf8'), 'base64');
      return loadIdentity(key).privateKey.raw.slice(0, 32);
    });
    const genesis = JSON.parse(readFileSync(join(cluster.directory, 'genesis.json'), 'utf8')) as Genesis;
    last = genesis.members[4]?.nodeId ?? '';
    founding = new Electorate(5, { seeds, cluster: genesis.clusterId }).configuration;
  });

  after(() => cluster.down());

  const run = (...args: string[]): Promise<Outcome> => quorate('--endpoints', base, ...args);
  const inDirectory = (name: string): string => join(cluster.directory, name);

  /** Writes a certificate file that permits the action, as the members would have made it. */
  function certify(name: string, action: GuardedAction, members = founding): string {
    const bytes = new Electorate(members.members.length, { seeds, configuration: members }).approval(action, {
      notAfterMs: Date.now() + 600_000,
    });
    const certificate = defined(decodeCertificate(nodeHashes, bytes), 'it is one');
    writeFileSync(inDirectory(name), JSON.stringify(certificateDocument(certificate, members)));
    return inDirectory(name);
  }

  it('a secret is handed out only once its unlocking was voted on', async () => {
    const unlock = certify('unlock.json', { kind: 'secret-unlock', subject: 'secret:token', payload: '{"forMs":600000}' });
    await run('secret', 'put', 'token', 'hush');
    const locked = await run('secret', 'get', 'token');

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

  it('a voter goes only by a certificate, and certificates of the next epoch are verified offline by the chain', async () => {
    const refused = await run('member', 'remove', 'node-5');
    const wanted = await json(`${base}/v1/members/${last}`, { method: 'DELETE' });
    const evict = certify('evict.json', wanted as unknown as GuardedAction);

    const removed = await run('member', 'remove', 'node-5', '--certificate', evict);
    const chain = inDirectory('chain.json');
    const shown = await run('vote', 'epoch', chain);
    const epochs = JSON.parse(readFileSync(chain, 'utf8')) as EpochAnswer;
    const next = defined(decodeConfiguration(Buffer.from(epochs.links[0]?.configuration ?? '', 'base64')), 'it is a configuration');
    const later = certify('later.json', { kind: 'deployment-approve', subject: 'deploy:web', payload: '' }, next);
    const genesis = inDirectory('genesis.json');

    expect(refused).to.include({ code: 7 });
    expect(wanted).to.include({ status: 409, code: 'certificate_required', kind: 'evict' });
    expect(removed.code, removed.stderr).to.equal(0);
    expect(shown.stdout).to.match(/^epoch 1, 4 members/);
    expect((await run('vote', 'enact', later)).code).to.equal(0);
    expect((await quorate('vote', 'verify', later, '--genesis', genesis)).stdout).to.match(/wrong_epoch/);
    expect(await quorate('vote', 'verify', later, '--genesis', genesis, '--chain', chain)).to.include({ code: 0 });
  });

  it('refuses what is no certificate, and says so', async () => {
    const post = (body: unknown) =>
      json(`${base}/v1/decisions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

    expect(await post({ certificate: 'AAAA' })).to.include({ status: 400, code: 'bad_certificate' });
    expect(await post({ certificate: '?' })).to.include({ status: 400, code: 'invalid_argument' });
    expect(await post({})).to.include({ status: 400, code: 'invalid_argument' });
  });
});
