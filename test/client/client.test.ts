import { expect } from 'chai';
import { WebSocket } from 'ws';
import { createClient, type QuorateClient } from '../../src/client/client.ts';
import { createWorker, FatalTaskError } from '../../src/client/worker.ts';
import { QuorateError } from '../../src/core/errors.ts';
import { decodeReplies, encodeStreamMessage } from '../../src/wire/stream.ts';
import { DevCluster, json, until } from '../end-to-end/dev-cluster.ts';

const codeOf = (error: unknown): string => (error instanceof QuorateError ? error.code : String(error));

describe('client: stream, sessions and workers', function () {
  this.timeout(60_000);
  let cluster: DevCluster;
  let client: QuorateClient;

  before(async () => {
    cluster = await DevCluster.up(3, '--heartbeat-ms', '20', '--election-timeout-ms', '200');
    client = createClient({ endpoints: cluster.endpoints });
  });

  after(async () => {
    client.close();
    await cluster.down();
  });

  it('writes and reads keys, and tells a definite failure', async () => {
    const { version } = await client.kv.put('c/a', 'one');

    expect(await client.kv.get('c/a')).to.deep.equal({ value: 'one', version });
    expect(await client.kv.get('c/none')).to.equal(undefined);
    const error = await client.kv.put('c/a', 'two', { ifVersion: 0 }).catch((failed: unknown) => failed);
    expect(codeOf(error)).to.equal('version_mismatch');
    expect(error instanceof QuorateError && error.isDefinite).to.equal(true);
  });

  it('carries out every write once when its connection breaks again and again', async () => {
    const writes = Array.from({ length: 200 }, async (_, i) => {
      if (i % 20 === 0) client.reconnect();
      await client.tasks.submit({ id: `once-${i}`, type: 'never', requires: ['nobody'] });
      return client.kv.put('c/count', String(i));
    });
    const versions = (await Promise.all(writes)).map(({ version }) => version);

    expect(new Set(versions).size).to.equal(200);
    const task = await json(`${cluster.endpoints[0]}/v1/tasks/once-7`);
    expect(task?.['history']).to.have.length(1);
  });

  it('goes on through another node when the one it uses is killed', async () => {
    const leader = await cluster.leader();
    await client.kv.put('c/failover', 'before');

    await cluster.dev('kill', leader);
    const { version } = await client.kv.put('c/failover', 'after', { timeoutMs: 30_000 });

    expect(await client.kv.get('c/failover', { timeoutMs: 30_000 })).to.deep.equal({ value: 'after', version });
    expect((await cluster.dev('restart', leader)).code).to.equal(0);
  });

  it('ends a call when its signal says so', async () => {
    const abort = new AbortController();
    const claim = client.agents.claim('nobody-here', 1, 1, 30_000, undefined, { signal: abort.signal }).catch(codeOf);

    abort.abort();

    expect(['aborted', 'unknown_agent']).to.include(await claim);
  });

  it('hands tasks to a worker, and its results to the cluster', async () => {
    const worker = createWorker({ client, agent: { id: 'w1', capabilities: ['double'], concurrency: 4 } })
      .onTask('double', (task) => Promise.resolve(Number(task.payload) * 2))
      .onTask('never', () => Promise.reject(new FatalTaskError('not possible')));
    await worker.start();
    await client.tasks.submitAll([1, 2, 3].map((n) => ({ id: `double-${n}`, type: 'double', payload: n, requires: ['double'] })));
    await client.tasks.submit({ id: 'fatal', type: 'never', requires: ['double'] });

    const ended = await Promise.all(['double-1', 'double-2', 'double-3', 'fatal'].map((id) => client.tasks.get(id, { waitMs: 9000 })));

    expect(ended.map((task) => (task as { result?: unknown }).result)).to.deep.equal([2, 4, 6, undefined]);
    expect(ended.at(-1)).to.include({ state: 'dead', error: 'not possible', attempt: 1 });
    await worker.drain();
    expect((await json(`${cluster.endpoints[0]}/v1/agents/w1`))?.['code']).to.equal('unknown_agent');
  });

  it('aborts a handler whose task is cancelled', async () => {
    let sawAbort = false;
    const worker = createWorker({ client, agent: { id: 'w2', capabilities: ['slow'], ttlMs: 2000 } }).onTask(
      '*',
      (_task, { signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            sawAbort = true;
            resolve('too late');
          });
        }),
    );
    await worker.start();
    await client.tasks.submit({ id: 'slow', type: 'slow', requires: ['slow'], leaseMs: 600 });
    await until('the task to run', async () =>
      (await json(`${cluster.endpoints[0]}/v1/tasks/slow`))?.['state'] === 'running' ? true : undefined,
    );

    await client.tasks.cancel('slow');
    const ended = await client.tasks.get('slow', { waitMs: 9000 });

    expect(ended).to.include({ state: 'cancelled' });
    await until('the abort', () => (sawAbort ? true : undefined));
    await worker.drain();
  });

  it('tells events as they come', async () => {
    const abort = new AbortController();
    const seen: string[] = [];
    const { version } = await client.kv.put('c/event', '0');
    const watching = (async () => {
      for await (const event of client.events({ from: version, kinds: ['key'], signal: abort.signal })) {
        if (event.kind === 'key') seen.push(event.key);
        if (seen.length === 2) abort.abort();
      }
    })();

    await client.kv.put('c/event-1', '1');
    await client.kv.put('c/event-2', '2');
    await watching;

    expect(seen).to.deep.equal(['c/event-1', 'c/event-2']);
  });

  it('is closed with a reason when it sends what is not a message, and told when a request is not one', async () => {
    const open = (): Promise<WebSocket> =>
      new Promise((resolve) => {
        const socket: WebSocket = new WebSocket(`${(cluster.endpoints[0] ?? '').replace('http', 'ws')}/v1/stream`);
        socket.on('open', () => resolve(socket));
      });
    const garbage = await open();
    const code = new Promise<number>((resolve) => garbage.on('close', resolve));
    garbage.send(Buffer.from([0xc1, 0xff, 0x00]));
    expect(await code).to.equal(1007);

    const socket = await open();
    const refusals: unknown[] = [];
    socket.on('message', (data: Buffer) => refusals.push(...(decodeReplies(data) ?? []).filter((reply) => reply[1] === 1)));
    socket.send(
      encodeStreamMessage([
        [1, 'w', Buffer.from([1, 2, 3])],
        [2, 'nonsense'],
        [3, 'claim', 'a', -1],
      ]),
    );
    await until('three refusals', () => (refusals.length === 3 ? true : undefined));
    socket.close();

    expect(refusals.every((reply) => Array.isArray(reply) && reply[2] === 'invalid_argument')).to.equal(true);
  });
});
