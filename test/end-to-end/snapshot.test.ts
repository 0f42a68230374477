import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { createClient } from '../../src/client/client.ts';
import { DevCluster, freePorts, json, type Outcome, quorate, until } from './dev-cluster.ts';

const executable = fileURLToPath(new URL('../../../bin/quorate.js', import.meta.url));
const fast = ['--heartbeat-ms', '50', '--election-timeout-ms', '500'];
const sentence = 'I accept that acknowledged work may be lost';

/** Runs the executable and types a line. */
function typing(line: string, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [executable, ...args], { env: { ...process.env, NO_COLOR: '1' } });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    child.once('exit', (code) => resolve({ code: code ?? -1, stdout, stderr }));
    child.stdin.end(`${line}\n`);
  });
}

/** Names of the members, as a node's status tells them. */
const namesIn = (status: Record<string, unknown> | undefined): string[] =>
  ((status?.['members'] ?? []) as { name: string }[]).map(({ name }) => name);

describe('end to end: snapshot files, and the way back after the loss of a majority', function () {
  this.timeout(120_000);
  const started: ChildProcess[] = [];
  let cluster: DevCluster;
  let directory: string;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-snapshot-'));
    cluster = await DevCluster.up(3, ...fast);
    await cluster.leader();
    const client = createClient({ endpoints: cluster.endpoints, timeoutMs: 30_000 });
    for (let i = 0; i < 200; i++) await client.kv.put(`key-${i}`, `value-${i}`);
    client.close();
    const task = await quorate('--endpoints', cluster.endpoints.join(','), 'task', 'submit', 'sum', '--id', 'kept', '--payload', '[1,2]');
    expect(task.code, task.stderr).to.equal(0);
  });

  after(async () => {
    for (const child of started) child.kill('SIGKILL');
    await cluster.down();
    rmSync(directory, { recursive: true, force: true });
  });

  async function start(dataDir: string, ...flags: string[]): Promise<ChildProcess> {
    const child = spawn(process.execPath, [executable, 'start', '--data-dir', dataDir, ...fast, ...flags], { stdio: 'ignore' });
    started.push(child);
    return child;
  }

  const value = (url: string, key: string): Promise<unknown> =>
    until(`${key} at ${url}`, async () => (await json(`${url}/v1/kv/${key}`))?.['value']);

  async function expectState(url: string): Promise<void> {
    expect(await value(url, 'key-0')).to.equal('value-0');
    expect(await value(url, 'key-199')).to.equal('value-199');
    expect(await json(`${url}/v1/tasks/kept`)).to.include({ id: 'kept', type: 'sum', state: 'pending' });
  }

  it('save and restore bring keys and tasks into a new cluster, whose fences and versions are all newer', async () => {
    const file = join(directory, 'all.snapshot');
    const dataDir = join(directory, 'restored');
    const port = await freePorts(2);

    const saved = await quorate('--endpoints', cluster.endpoints.join(','), 'snapshot', 'save', file, '-o', 'json');
    const inspected = await quorate('snapshot', 'inspect', file, '-o', 'json');
    const ports = ['--http-port', String(port), '--peer-port', String(port + 1)];
    const restored = await quorate('snapshot', 'restore', file, '--data-dir', dataDir, ...ports, '-o', 'json');

    expect(saved.code, saved.stderr).to.equal(0);
    expect(JSON.parse(inspected.stdout)).to.deep.equal(JSON.parse(saved.stdout));
    const description = JSON.parse(inspected.stdout) as {
      clusterId: string;
      index: number;
      voters: string[];
      counts: Record<string, number>;
    };
    expect(description.counts).to.include({ key: 200, task: 1 });
    expect(description.voters).to.have.length(3);
    expect(restored.code, restored.stderr).to.equal(0);
    expect((JSON.parse(restored.stdout) as { clusterId: string }).clusterId).to.not.equal(description.clusterId);
    await start(dataDir);
    const url = `http://127.0.0.1:${port}`;
    await expectState(url);
    const put = await json(`${url}/v1/kv/new`, { method: 'PUT', body: '{"value":"v"}' });
    expect(put?.['version']).to.be.greaterThan(description.index);
    const status = await json(`${url}/v1/status`);
    expect(namesIn(status)).to.deep.equal(['node-1']);
  });

  it('a damaged file is refused, wherever the damage is', async () => {
    const file = join(directory, 'whole.snapshot');
    await quorate('--endpoints', cluster.endpoints.join(','), 'snapshot', 'save', file);
    const bytes = readFileSync(file);
    const damaged = {
      'a flipped bit in the middle': Buffer.from(bytes).fill(
        (bytes[bytes.length >> 1] ?? 0) ^ 1,
        bytes.length >> 1,
        (bytes.length >> 1) + 1,
      ),
      'a missing end': bytes.subarray(0, bytes.length - 40),
      'something after the end': Buffer.concat([bytes, Buffer.of(0)]),
      'another file': Buffer.from('{"hello":"world, this is not a snapshot"}'),
      'an empty file': Buffer.alloc(0),
    };

    for (const [what, content] of Object.entries(damaged)) {
      const path = join(directory, 'damaged.snapshot');
      writeFileSync(path, content);
      const inspected = await quorate('snapshot', 'inspect', path);
      const restored = await quorate('snapshot', 'restore', path, '--data-dir', join(directory, 'never'));
      expect([inspected.code, restored.code], `${what}: ${inspected.stderr}`).to.deep.equal([1, 1]);
      expect(restored.stderr, what).to.contain("can't be used");
      expect(existsSync(join(directory, 'never', 'node.toml')), what).to.equal(false);
    }
  });

  it('save does not write over another file', async () => {
    const file = join(directory, 'precious');
    writeFileSync(file, 'precious');

    const saved = await quorate('--endpoints', cluster.endpoints.join(','), 'snapshot', 'save', file);

    expect(saved.code).to.equal(1);
    expect(readFileSync(file, 'utf8')).to.equal('precious');
  });

  it('after two of three nodes are lost, recover makes the third one a cluster again, which new nodes join', async () => {
    for (const node of [1, 2, 3]) process.kill(cluster.pid(node), 'SIGKILL');
    const dataDir = join(cluster.directory, 'node-3');
    const [, , url = ''] = cluster.endpoints;
    await until('node 3 to be gone', async () => ((await json(`${url}/livez`)) === undefined ? true : undefined));
    const oldId = (JSON.parse(readFileSync(join(cluster.directory, 'genesis.json'), 'utf8')) as { clusterId: string }).clusterId;
    cpSync(join(dataDir, 'node.toml'), join(directory, 'node.toml'));

    const refused = await typing('yes', 'recover', '--data-dir', dataDir);
    expect(refused.code).to.equal(7);
    expect(refused.stderr).to.contain(sentence).and.contain('nothing was changed');
    expect(readFileSync(join(dataDir, 'node.toml'), 'utf8')).to.equal(readFileSync(join(directory, 'node.toml'), 'utf8'));
    const recovered = await typing(sentence, 'recover', '--data-dir', dataDir);

    expect(recovered.code, recovered.stderr).to.equal(0);
    await start(dataDir);
    await expectState(url);
    const status = await json(`${url}/v1/status`);
    expect(status?.['clusterId']).to.not.equal(oldId);
    expect(namesIn(status)).to.deep.equal(['node-3']);
    // A node of the old cluster, started again as it was, is nobody to the new one.
    await start(join(cluster.directory, 'node-1'));
    const [old = ''] = cluster.endpoints;
    await until('the old node to be up', async () => ((await json(`${old}/v1/status`)) === undefined ? undefined : true));
    const token = await quorate('--endpoints', url, 'member', 'token');
    const port = await freePorts(2);
    const ports = ['--http-port', String(port), '--peer-port', String(port + 1)];
    await start(join(directory, 'joined'), '--join', url, '--token', token.stdout.trim(), ...ports);
    await expectState(`http://127.0.0.1:${port}`);
    const after = await json(`${url}/v1/status`);
    expect(namesIn(after)).to.have.members(['node-3', 'joined']);
    expect((await json(`${old}/v1/status`))?.['leader']).to.equal(null);
  });

  it('recover does not touch a node that runs', async () => {
    const running = await quorate(
      'recover',
      '--data-dir',
      join(cluster.directory, 'node-3'),
      '--i-accept-that-acknowledged-work-may-be-lost',
    );

    expect(running.code).to.equal(1);
    expect(running.stderr).to.contain('in use');
  });
});
