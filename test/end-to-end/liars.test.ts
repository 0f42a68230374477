import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { DevCluster, json, post, quorate, until } from './dev-cluster.ts';

const liar = fileURLToPath(new URL('liar.js', import.meta.url));

/** Frames with wrong tags, and the like. */
async function refusedFrames(endpoint: string): Promise<number> {
  const metrics = await (await fetch(`${endpoint}/metrics`)).text();
  return Number(/^quorate_vote_frames_refused_total (\d+)/m.exec(metrics)?.[1]);
}

describe('end to end: Byzantine votes among seven real processes of which some lie', function () {
  this.timeout(180_000);
  let cluster: DevCluster;
  const liars: ChildProcess[] = [];

  /** Puts a process that lies in the place of an honest one. */
  async function corrupt(node: number): Promise<void> {
    await cluster.dev('kill', node);
    const args = ['start', '--data-dir', join(cluster.directory, `node-${node}`), '--votes-auto-approve', '*'];
    liars.push(spawn(process.execPath, [liar, ...args], { stdio: 'ignore' }));
    await until(`liar ${node}`, () => json(`${cluster.endpoints[node - 1]}/livez`));
  }

  const open = (node: number, body: Record<string, unknown>) =>
    until('a quorum to be reachable', async () => {
      const answer = await post(`${cluster.endpoints[node]}/v1/votes`, body);
      return answer?.['id'] === undefined ? undefined : answer;
    });

  before(async () => {
    cluster = await DevCluster.up(7, '--votes-auto-approve', 'deploy');
    await corrupt(6);
    await corrupt(7);
  });

  after(async () => {
    for (const process of liars) process.kill('SIGKILL');
    await cluster.down();
  });

  it('decides with two liars, by certificates that the offline check accepts, at every honest node', async () => {
    for (const node of [0, 2, 4]) {
      const { id } = await open(node, { subject: `web@${node}`, kind: 'deploy', timeoutMs: 600_000 });
      const certificate = join(cluster.directory, 'cert.json');

      const votes = await Promise.all(
        [0, 1, 2, 3, 4].map((each) =>
          until('the decision', async () => {
            const vote = await json(`${cluster.endpoints[each]}/v1/votes/${String(id)}?wait=5s`);
            return vote?.['state'] === 'decided' ? vote : undefined;
          }),
        ),
      );
      writeFileSync(certificate, JSON.stringify(votes[4]?.['certificate']));
      const verified = await quorate(
        'vote',
        'verify',
        certificate,
        '--genesis',
        join(cluster.directory, 'genesis.json'),
        '--option',
        'approve',
      );

      expect(votes.map((vote) => vote['outcome'])).to.deep.equal(Array.from({ length: 5 }, () => 'approve'));
      expect(verified.code, verified.stdout).to.equal(0);
    }
  });

  it('has evidence that convicts a liar by the genesis alone', async () => {
    const file = join(cluster.directory, 'evidence.json');
    // Only the liars have an opinion at once, so nothing is decided before they are heard.
    await open(0, { subject: 'nobody knows', kind: 'unheard-of', timeoutMs: 600_000 });
    const found = await until('evidence', async () => {
      for (const endpoint of cluster.endpoints.slice(0, 5)) {
        const { stdout } = await quorate('vote', 'evidence', '-o', 'ndjson', '--endpoints', endpoint);
        const line = stdout.split('\n').find((each) => each.includes('"isTransferable":true'));
        if (line !== undefined) return line;
      }
      return undefined;
    });
    writeFileSync(file, found);

    const checked = await quorate('vote', 'evidence', '--check', file, '--genesis', join(cluster.directory, 'genesis.json'));
    const status = await Promise.all([5, 6].map((node) => json(`${cluster.endpoints[node]}/v1/status`)));

    const refused = await Promise.all(cluster.endpoints.slice(0, 5).map(refusedFrames));

    expect(checked.code, checked.stdout).to.equal(0);
    expect(Math.max(...refused)).to.be.greaterThan(0);
    expect(status.map((each) => each?.['nodeId'])).to.include((JSON.parse(found) as { node: string }).node);
  });

  it('never says yes when three lie and the honest four say no', async () => {
    await corrupt(5);
    const honest = [0, 1, 2, 3];

    for (const round of [1, 2, 3]) {
      const { id } = await open(round % 4, { subject: `evict ${round}`, kind: 'evict', timeoutMs: 1000 });
      await Promise.all(
        honest.map((node) =>
          until('the ballot', async () => {
            const answer = await post(`${cluster.endpoints[node]}/v1/votes/${String(id)}/ballots`, { choice: 'reject' });
            return answer?.['id'] ?? (answer?.['code'] === 'wrong_state' ? id : undefined);
          }),
        ),
      );

      const votes = await Promise.all(honest.map((node) => json(`${cluster.endpoints[node]}/v1/votes/${String(id)}?wait=3s`)));

      // With more than F liars a vote may stay open; what the honest say no to is never approved.
      for (const vote of votes) expect(vote?.['outcome']).to.be.oneOf([undefined, 'reject', 'split', 'expired']);
    }
  });
});
