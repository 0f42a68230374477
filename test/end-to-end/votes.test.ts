import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DevCluster, executable, json, post, quorate, until } from './dev-cluster.ts';

/** Reads server-sent events until the text has come so many times. */
async function eventsOf(url: string, text: string, times: number): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  let read = '';
  for await (const chunk of response.body ?? []) {
    read += new TextDecoder().decode(chunk);
    if (read.split(text).length > times) break;
  }
  return read;
}

describe('end to end: Byzantine votes among four real processes', function () {
  this.timeout(120_000);
  let cluster: DevCluster;

  const decide = (node: number, subject: string) =>
    until(`a decision on ${subject}`, async () => {
      const answer = await post(`${cluster.endpoints[node]}/v1/votes`, { subject, kind: 'deploy', wait: 10_000 });
      return answer?.['state'] === 'decided' ? answer : undefined;
    });

  const ended = (node: number, id: string) =>
    until(`the end of ${id}`, async () => {
      const vote = await json(`${cluster.endpoints[node]}/v1/votes/${id}?wait=5s`);
      return vote?.['state'] === 'open' || vote?.['id'] === undefined ? undefined : vote;
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

  it("asks an agent that is attached to a node for the node's opinion, and persons by the command line for that of others", async () => {
    const url = (node: number, path: string) => `${cluster.endpoints[node]}${path}`;
    const put = {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{"capabilities":["opinion:review"],"ttlMs":300000}',
    };
    const agent = await until('the registration', () => json(url(2, '/v1/agents/judge'), put));
    const beat = async (node: number) => {
      const answer = await post(url(node, '/v1/agents/judge/heartbeat'), { generation: agent['generation'] });
      const [question] = (answer?.['commands'] ?? []) as Record<string, unknown>[];
      return question;
    };
    const opened = await quorate(
      'vote',
      'open',
      'patch 7',
      '--kind',
      'review',
      '--timeout-ms',
      '60s',
      '-o',
      'json',
      '--endpoints',
      cluster.endpoints[0] ?? '',
    );
    const { id } = JSON.parse(opened.stdout) as { id: string };

    const question = await until('the question', () => beat(2));
    const elsewhere = await beat(1);
    await post(url(2, `/v1/votes/${id}/ballots`), { choice: 'reject' });
    const cast = await Promise.all(
      [0, 1].map((node) => quorate('vote', 'cast', id, 'reject', '--endpoints', cluster.endpoints[node] ?? '')),
    );
    const vote = await ended(3, id);

    expect(question).to.include({ type: 'vote', id, kind: 'review', subject: 'patch 7' });
    expect(elsewhere).to.equal(undefined);
    expect(cast.map(({ code }) => code)).to.deep.equal([0, 0]);
    expect(vote).to.include({ state: 'decided', outcome: 'reject' });
  });

  it('bundles what many ask for, and a third party can check each item', async () => {
    const file = join(cluster.directory, 'bundle.json');
    const subjects = ['db@1', 'db@2', 'db@3'];
    const body = JSON.stringify(subjects.map((subject) => ({ subject, kind: 'deploy', payload: subject, wait: 10_000 })));

    const answer = await json(`${cluster.endpoints[2]}/v1/votes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const [certificate, ...others] = (answer?.['certificates'] ?? []) as Record<string, unknown>[];
    writeFileSync(file, JSON.stringify(certificate));
    const verify = (subject: string) =>
      quorate('vote', 'verify', file, '--genesis', join(cluster.directory, 'genesis.json'), '--subject', subject, '--option', 'approve');

    expect(answer?.['items']).to.deep.equal(
      subjects.map((_, item) => ({
        id: `${String(certificate?.['id'])}.${item}`,
        proposal: certificate?.['id'],
        item,
        state: 'decided',
        outcome: 'approve',
      })),
    );
    expect(others).to.deep.equal([]);
    expect((await verify('db@2')).code).to.equal(0);
    expect((await verify('db@4')).code).to.equal(7);
    expect(await json(`${cluster.endpoints[2]}/v1/votes/${String(certificate?.['id'])}.1`)).to.include({
      subject: 'db@2',
      item: 1,
      items: 3,
    });
  });

  it('asks a command that judges for a node', async () => {
    const endpoint = cluster.endpoints[3] ?? '';
    const choose = 'test "$QUORATE_VOTE_KIND" = audit && grep -q ledger && echo approve';
    const run = [
      'agent',
      'run',
      '--id',
      'auditor',
      '--capabilities',
      'opinion:audit',
      '--ttl-ms',
      '1s',
      '--judge',
      choose,
      '--endpoints',
      endpoint,
    ];
    const auditor = spawn(process.execPath, [executable, ...run], { stdio: 'ignore' });
    try {
      const opened = await post(`${cluster.endpoints[0]}/v1/votes`, {
        subject: 'books',
        kind: 'audit',
        payload: 'the ledger',
        timeoutMs: 600_000,
      });
      const id = String(opened?.['id']);

      const ballots = await until('the ballot', async () => {
        const vote = await json(`${cluster.endpoints[0]}/v1/votes/${id}`);
        const found = (vote?.['ballots'] ?? []) as readonly { readonly node: string; readonly choice: string }[];
        return found.length === 0 ? undefined : found;
      });
      const status = await json(`${endpoint}/v1/status`);

      expect(ballots).to.deep.equal([{ node: status?.['nodeId'], choice: 'approve' }]);
    } finally {
      auditor.kill('SIGKILL');
    }
  });

  it('ends a wait for an outcome that did not come with 7, and says what did', async () => {
    const at = ['--endpoints', cluster.endpoints[0] ?? ''];
    const wait = ['vote', 'open', 'web', '--kind', 'deploy', '--wait', '--cert', join(cluster.directory, 'other.json')];

    const expected = await quorate(...wait, '--expect', 'approve', ...at);
    const other = await quorate(...wait, '--expect', 'reject', ...at);
    const none = await quorate(...wait.with(4, 'unheard-of'), '--timeout-ms', '200ms', ...at);
    const late = await quorate(...wait.with(4, 'unheard-of'), '--timeout-ms', '60s', ...at, '--timeout', '300ms');

    expect(expected.code, expected.stderr).to.equal(0);
    expect(other).to.include({ code: 7 });
    expect(other.stderr).to.contain('approve was decided, not reject');
    expect(none).to.include({ code: 7 });
    expect(none.stderr).to.contain('no option won (expired)');
    expect(late).to.include({ code: 6 });
  });

  it('lists votes, gives out certificates, and tells watchers and metrics of them', async () => {
    const { id } = await decide(0, 'web@watched');
    const at = ['--endpoints', cluster.endpoints[0] ?? ''];
    const file = join(cluster.directory, 'again.json');

    const list = await quorate('vote', 'list', '-o', 'ndjson', ...at);
    const cert = await quorate('vote', 'cert', String(id), file, ...at);
    const verified = await quorate(
      'vote',
      'verify',
      file,
      '--genesis',
      join(cluster.directory, 'genesis.json'),
      '--subject',
      'web@watched',
    );
    const metrics = await (await fetch(`${cluster.endpoints[0]}/metrics`)).text();
    const events = await eventsOf(`${cluster.endpoints[0]}/v1/events?from=0&kinds=vote`, `"vote":"${String(id)}","type":"deploy"`, 2);

    expect(list.stdout).to.contain(String(id));
    expect([cert.code, verified.code]).to.deep.equal([0, 0]);
    expect(metrics).to.match(/^quorate_votes_decided_total [1-9]/m);
    expect(events).to.contain('"state":"open"').and.contain('"outcome":"approve"');
  });

  it('keeps ballots over kill -9, refuses a second one, and decides with one node gone', async () => {
    const opened = await post(`${cluster.endpoints[0]}/v1/votes`, { subject: 'by hand', timeoutMs: 600_000 });
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
    const vote = await ended(2, id);
    const other = await decide(0, 'web@2');

    expect(again?.['code']).to.equal('already_voted');
    expect(vote['outcome']).to.equal('approve');
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
