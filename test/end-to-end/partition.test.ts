import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DevCluster, json, quorate, until } from './dev-cluster.ts';

const put = (endpoint: string, key: string, value: string): Promise<Record<string, unknown> | undefined> =>
  json(`${endpoint}/v1/kv/${key}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ value }) });

const stateOf = async (endpoint: string): Promise<string | undefined> => {
  const status = await json(`${endpoint}/v1/status`);
  return (status?.['partition'] as { state: string } | undefined)?.state;
};

describe('end to end: partitions of real processes', function () {
  this.timeout(180_000);
  let cluster: DevCluster;
  const partition = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await quorate('dev', ...args, '--dir', cluster.directory);
    expect(code, stderr).to.equal(0);
  };

  before(async () => {
    cluster = await DevCluster.up(5);
  });

  after(() => cluster.down());

  afterEach(() => partition('heal'));

  it('lets the majority go on, has the minority say so, and loses nothing when the links are back', async () => {
    const leader = await cluster.leader();
    const other = (leader % 5) + 1;
    const far = [leader, other].map((number) => cluster.endpoints[number - 1] ?? '');
    const near = cluster.endpoints.filter((endpoint) => !far.includes(endpoint));
    const [first = ''] = near;

    await partition('partition', `${leader},${other}`);
    for (const endpoint of far)
      await until('the minority to know', async () => ((await stateOf(endpoint)) === 'minority' ? true : undefined));
    // Who has just lost its leader may first say that there is none.
    const refused = await Promise.all(
      far.map((endpoint) =>
        until('a refusal for good', async () => {
          const answer = await put(endpoint, 'far', 'no');
          return answer?.['code'] === 'no_leader' ? undefined : answer;
        }),
      ),
    );
    const written = await until('the majority to write', async () => {
      const answer = await put(first, 'near', 'yes');
      return answer?.['version'] === undefined ? undefined : answer;
    });
    const stale = await json(`${far[0] ?? ''}/v1/kv/near?consistency=local`);
    const why = await quorate('explain', 'partition', '--endpoints', far[0] ?? '');
    await partition('heal');
    for (const endpoint of cluster.endpoints)
      await until('all to be healthy', async () => ((await stateOf(endpoint)) === 'healthy' ? true : undefined));

    expect(refused.map((answer) => answer?.['code'])).to.deep.equal(['no_quorum', 'no_quorum']);
    expect(stale?.['code'], 'it was not there before the split').to.equal('not_found');
    expect(why.stdout, why.stderr)
      .to.match(new RegExp(`^node-${leader}: minority; it sees a split, complete`))
      .and.to.match(new RegExp(`node-${leader} does not hear node-\\d: silent for \\d+ ms`));
    const asked = ['--endpoints', first];
    const picture = join(cluster.directory, 'split.svg');
    const status = await quorate('partition', 'status', ...asked);
    const history = JSON.parse((await quorate('partition', 'history', '-o', 'json', ...asked)).stdout) as {
      items: Record<string, unknown>[];
    };
    const timeline = await quorate('partition', 'timeline', '--svg', picture, ...asked);

    expect(status.stdout).to.match(/^healthy .*\nHEARS → +node-1/);
    expect(history.items.at(-1)).to.include({ class: 'complete' });
    expect(history.items.at(-1)?.['report']).to.include({ class: 'complete' });
    expect(timeline.code, timeline.stderr).to.equal(0);
    expect(readFileSync(picture, 'utf8'))
      .to.match(/^<svg /)
      .and.to.include('minority')
      .and.to.include('leader · term');
    for (const endpoint of cluster.endpoints) {
      const read = await until('a read', async () => {
        const answer = await json(`${endpoint}/v1/kv/near`);
        return answer?.['value'] === undefined ? undefined : answer;
      });
      expect(read['version']).to.equal(written['version']);
      expect((await json(`${endpoint}/v1/kv/far`))?.['code']).to.equal('not_found');
    }
  });

  it('cuts one direction alone: a leader that is heard and does not hear is replaced', async () => {
    const leader = await cluster.leader();
    const others = [1, 2, 3, 4, 5].filter((number) => number !== leader);

    await partition('partition', `${others.join(',')}>${leader}`);
    const [first = 1] = others;
    await until('another leader', async () => {
      const status = await json(`${cluster.endpoints[first - 1] ?? ''}/v1/status`);
      const now = (status?.['leader'] as { http: string } | null | undefined)?.http;
      return now === undefined || now === cluster.endpoints[leader - 1] ? undefined : now;
    });

    expect(await until('a write', async () => (await put(cluster.endpoints[first - 1] ?? '', 'one-way', 'yes'))?.['version'])).to.be.a(
      'number',
    );
  });

  it('refuses at once, on a node that hears all and is heard by nobody, what it can not decide', async () => {
    const leader = await cluster.leader();
    const mute = (leader % 5) + 1;
    const endpoint = cluster.endpoints[mute - 1] ?? '';
    const others = [1, 2, 3, 4, 5].filter((number) => number !== mute);

    await partition('partition', `${mute}>${others.join(',')}`);
    await until('it to know', async () => ((await stateOf(endpoint)) === 'minority' ? true : undefined));
    const startMs = performance.now();
    const answers = [await put(endpoint, 'simplex', 'no'), await json(`${endpoint}/v1/kv/simplex`)];

    expect(answers.map((answer) => answer?.['code'])).to.deep.equal(['no_quorum', 'no_quorum']);
    // Far below the time-out of a request, five seconds.
    expect(performance.now() - startMs).to.be.lessThan(1000);
  });
});
