import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { DevCluster, json, quorate, until } from './dev-cluster.ts';

const executable = fileURLToPath(new URL('../../../bin/quorate.js', import.meta.url));

describe('end to end: agent run', function () {
  this.timeout(90_000);
  let cluster: DevCluster;
  const children: ChildProcess[] = [];

  before(async () => {
    cluster = await DevCluster.up(3, '--heartbeat-ms', '20', '--election-timeout-ms', '200');
  });

  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await cluster.down();
  });

  /** A worker that can do what it is named after. */
  function work(name: string, exec: string): ChildProcess {
    const args = ['agent', 'run', '--id', name, '--capabilities', name, '--exec', exec, '--endpoints', cluster.endpoints.join(',')];
    const child = spawn(process.execPath, [executable, ...args], { stdio: 'ignore' });
    children.push(child);
    return child;
  }

  const submit = (id: string, capability: string, more: object = {}) =>
    json(`${cluster.endpoints[0]}/v1/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id, type: 'any', requires: [capability], ...more }),
    });

  const inState = (id: string, state: string, at = cluster.endpoints[0]): Promise<Record<string, unknown>> =>
    until(`${id} to be ${state}`, async () => {
      const task = await json(`${at}/v1/tasks/${id}`, { signal: AbortSignal.timeout(1000) });
      return task?.['state'] === state ? task : undefined;
    });

  it('completes with what the command prints, and fails with the end of its stderr', async () => {
    work(
      'echo',
      'read payload; if [ "$payload" = null ]; then echo "nothing to do" >&2; exit 3; fi; echo "{\\"was\\":$payload,\\"attempt\\":$QUORATE_ATTEMPT}"',
    );
    await submit('good', 'echo', { payload: [1] });
    await submit('bad', 'echo', { maxAttempts: 1 });

    expect((await inState('good', 'succeeded'))['result']).to.deep.equal({ was: [1], attempt: 1 });
    expect((await inState('bad', 'dead'))['error']).to.equal('nothing to do');
  });

  it('kills the command of a cancelled task before it says so', async () => {
    work('sleep', `echo $$ > ${cluster.directory}/sleeping; sleep 1000`);
    await submit('endless', 'sleep', { leaseMs: 6000 });
    await inState('endless', 'running');

    await json(`${cluster.endpoints[0]}/v1/tasks/endless`, { method: 'DELETE' });

    expect((await inState('endless', 'cancelled'))['error']).to.equal('cancelled');
    const pid = Number(readFileSync(`${cluster.directory}/sleeping`, 'utf8'));
    expect(() => process.kill(pid, 0)).to.throw('ESRCH');
  });

  it('keeps its lease through another node when the one it uses is stopped', async () => {
    work('slow', 'sleep 9; echo 1');
    await submit('outlasting', 'slow', { leaseMs: 8000 });
    await inState('outlasting', 'running');
    const leader = await cluster.leader();

    process.kill(cluster.pid(leader), 'SIGSTOP');
    const ended = await inState('outlasting', 'succeeded', cluster.endpoints[leader % 3]);
    process.kill(cluster.pid(leader), 'SIGCONT');

    expect(ended).to.include({ attempt: 1, result: 1 });
  });

  it('says of an agent that fell silent who noticed it, and by which measure', async () => {
    const [endpoint = ''] = cluster.endpoints;
    const headers = { 'content-type': 'application/json' };
    await json(`${endpoint}/v1/agents/mute`, { method: 'PUT', headers, body: JSON.stringify({ capabilities: ['none'], ttlMs: 1000 }) });
    await until('it to be given up', async () => ((await json(`${endpoint}/v1/agents/mute`))?.['status'] === 'down' ? true : undefined));
    const leader = await cluster.leader();

    const { stdout, stderr } = await quorate('explain', 'agent', 'mute', '--endpoints', cluster.endpoints[leader % 3] ?? '');

    expect(stdout, stderr).to.match(new RegExp(`^agent mute is down\\n  node-${leader} had not heard it for \\d+ ms`));
  });

  it('lets what runs finish and deregisters when it is told to stop', async () => {
    const child = work('last', 'sleep 1; echo 2');
    await submit('last', 'last');
    await inState('last', 'running');

    const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');

    expect(await exit).to.equal(0);
    expect((await inState('last', 'succeeded'))['result']).to.equal(2);
    expect((await json(`${cluster.endpoints[0]}/v1/agents/last`))?.['code']).to.equal('unknown_agent');
  });
});
