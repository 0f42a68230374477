import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { createClient } from '../../src/client/client.ts';
import { DevCluster, freePorts, json, quorate, until } from './dev-cluster.ts';

const executable = fileURLToPath(new URL('../../../bin/quorate.js', import.meta.url));
const fast = ['--heartbeat-ms', '50', '--election-timeout-ms', '500'];

describe('end to end: members that come and go', function () {
  this.timeout(120_000);
  const joined: ChildProcess[] = [];
  let cluster: DevCluster;

  before(async () => {
    cluster = await DevCluster.up(1, ...fast);
    await cluster.leader();
  });

  after(async () => {
    for (const child of joined) child.kill('SIGKILL');
    await cluster.down();
  });

  async function joinNode(name: string, base: string): Promise<string> {
    const token = await quorate('--endpoints', base, 'member', 'token');
    expect(token.code, token.stderr).to.equal(0);
    const port = await freePorts(2);
    const dataDir = join(cluster.directory, name);
    const ports = ['--http-port', String(port), '--peer-port', String(port + 1)];
    const args = ['start', '--data-dir', dataDir, '--join', base, '--token', token.stdout.trim(), ...ports, ...fast];
    joined.push(spawn(process.execPath, [executable, ...args], { stdio: 'ignore' }));
    const url = `http://127.0.0.1:${port}`;
    await until(`${name} to become a voter`, async () => {
      const status = await json(`${url}/v1/status`);
      const members = (status?.['members'] ?? []) as { name: string; voter: boolean }[];
      return members.some((member) => member.name === name && member.voter) ? true : undefined;
    });
    return url;
  }

  it('grows from one node to three and shrinks to the newest under load, and nothing acknowledged is lost', async () => {
    const base = cluster.endpoints[0] ?? '';
    const acknowledged = new Map<string, string>();
    const stop = new AbortController();
    let endpoints = [base];
    const load = Array.from({ length: 4 }, async (_, lane) => {
      for (let i = 0; !stop.signal.aborted; i++) {
        const client = createClient({ endpoints, timeoutMs: 30_000 });
        try {
          for (let burst = 0; burst < 20; burst++) {
            const key = `lane-${lane}-${i}-${burst}`;
            await client.kv.put(key, key);
            acknowledged.set(key, key);
          }
        } finally {
          client.close();
        }
      }
    });

    const second = await joinNode('second', base);
    const third = await joinNode('third', second);
    endpoints = [third];
    const grown = acknowledged.size;
    await until('writes through the newest', () => (acknowledged.size > grown + 200 ? true : undefined));
    for (const name of ['node-1', 'second']) {
      await until(`${name} to be removed`, async () => {
        const outcome = await quorate('--endpoints', third, 'member', 'remove', name);
        return outcome.code === 0 || outcome.code === 3 ? true : undefined;
      });
    }
    const shrunk = acknowledged.size;
    await until('writes to go on alone', () => (acknowledged.size > shrunk + 200 ? true : undefined));
    stop.abort();
    await Promise.all(load);
    await cluster.dev('kill', 1);
    joined[0]?.kill('SIGKILL');

    const status = await json(`${third}/v1/status`);
    expect(((status?.['members'] ?? []) as { name: string }[]).map(({ name }) => name)).to.deep.equal(['third']);
    for (const key of acknowledged.keys()) expect((await json(`${third}/v1/kv/${key}`))?.['value'], key).to.equal(key);
  });
});
