import { expect } from 'chai';
import { join } from 'node:path';
import { DevCluster, json, quorate, until } from './dev-cluster.ts';

const post = (url: string, body: unknown): Promise<Record<string, unknown> | undefined> =>
  json(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

describe('end to end: Byzantine votes among four real processes', function () {
  this.timeout(120_000);
  let cluster: DevCluster;

  const decide = (node: number, subject: string) =>
    until(`a decision on ${subject}`, async () => {
      const answer = await post(`${cluster.endpoints[node]}/v1/votes`, { subject, kind: 'deploy', wait: 10_000 });
      return answer?.['state'] === 'decided' ? answer : undefined;
    });

  before(async () => {
    cluster = await DevCluster.up(4, '--votes-auto-approve', 'deploy');
    await decide(0, 'warm-up');
  });

  after(() => cluster.down());

  it('decides with a certificate that the offline check accepts, and says who voted what', async () => {
    const file = join(cluster.directory, 'cert.json');

    const opened = await quorate(
      'vote',
      'open',
      'web@1',
      '--kind',
      'deploy',
      '--wait',
      '--cert',
      file,
      '--endpoints',
      cluster.endpoints[1] ?? '',
    );
    const verified = await quorate('vote', 'verify', file, '--genesis', join(cluster.directory, 'genesis.json'), '--option', 'approve');

    expect(opened.code, opened.stderr).to.equal(0);
    expect(opened.stdout).to.match(/result +decided: approve/);
    expect(opened.stdout.match(/: approve/g)).to.have.length.at.least(4);
    expect(verified.code, verified.stdout).to.equal(0);
  });

  it('keeps ballots over kill -9, refuses a second one, and decides with one node gone', async () => {
    const opened = await post(`${cluster.endpoints[0]}/v1/votes`, { subject: 'by hand', timeoutMs: 60_000 });
    const id = String(opened?.['id']);
    const ballots = (node: number, choice: string) => post(`${cluster.endpoints[node]}/v1/votes/${id}/ballots`, { choice });
    const known = (node: number) =>
      until('the vote to be known', async () =>
        (await json(`${cluster.endpoints[node]}/v1/votes/${id}`))?.['state'] === 'open' ? true : undefined,
      );
    await known(1);
    expect((await ballots(1, 'approve'))?.['state']).to.equal('open');

    await cluster.dev('kill', 2);
    const restarted = await cluster.dev('restart', 2);
    expect(restarted.code, cluster.logEnd(2)).to.equal(0);
    const again = await ballots(1, 'reject');
    await cluster.dev('kill', 4);
    await ballots(0, 'approve');
    await ballots(2, 'approve');
    const vote = await json(`${cluster.endpoints[2]}/v1/votes/${id}?wait=30s`);
    const other = await decide(0, 'web@2');

    expect(again?.['code']).to.equal('already_voted');
    expect(vote?.['outcome']).to.equal('approve');
    expect(other['outcome']).to.equal('approve');
  });

  it('says no_quorum at once when two of four are gone', async () => {
    await cluster.dev('kill', 3);

    const refused = await until('the loss to be seen', async () => {
      const answer = await post(`${cluster.endpoints[0]}/v1/votes`, { subject: 'web@3', kind: 'deploy' });
      return answer?.['code'] === 'no_quorum' ? answer : undefined;
    });

    expect(refused).to.include({ status: 503, reachable: 2, needed: 3 });
  });

  it('tells a node that was away what was decided meanwhile', async () => {
    await cluster.dev('restart', 3);
    const { id } = await decide(0, 'web@4');
    await cluster.dev('restart', 4);

    const seen = await until('the decision at the node that was away', async () => {
      const answer = await json(`${cluster.endpoints[3]}/v1/votes/${String(id)}`);
      return answer?.['state'] === 'decided' ? answer : undefined;
    });

    expect(seen['outcome']).to.equal('approve');
  });
});
