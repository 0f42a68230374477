import { connect } from 'node:net';
import { expect } from 'chai';
import { createClient } from '../../src/index.ts';
import { DevCluster, until } from '../end-to-end/dev-cluster.ts';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

describe('api: HTTP, as the contract says', function () {
  this.timeout(60_000);
  let cluster: DevCluster;
  let base: string;

  before(async () => {
    cluster = await DevCluster.up(1, '--heartbeat-ms', '20', '--election-timeout-ms', '200');
    base = cluster.endpoints[0] ?? '';
  });

  after(() => cluster.down());

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(base + path, {
      method,
      headers: { ...(text === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(text === undefined ? {} : { body: text }),
    });
    const raw = await response.text();
    const isJson = (response.headers.get('content-type') ?? '').includes('json');
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(raw) : { raw } };
  }

  const register = async (id: string, fields: Record<string, unknown> = {}): Promise<number> =>
    Number((await call('PUT', `/v1/agents/${id}`, { capabilities: ['text'], ...fields })).body['generation']);

  async function claimOne(agent: string, generation: number): Promise<Record<string, unknown>> {
    const { body } = await call('POST', `/v1/agents/${agent}/claims`, { generation, waitMs: 5000 });
    const [item] = body['items'] as Record<string, unknown>[];
    return item ?? {};
  }

  it('answers liveness, readiness, status, members and metrics', async () => {
    expect((await call('GET', '/livez')).status).to.equal(200);
    expect((await call('GET', '/readyz?verbose')).body['checks']).to.have.length.greaterThan(1);
    const { body } = await call('GET', '/v1/status');
    expect(body).to.include({ name: 'node-1', role: 'leader', durability: 'sync' });
    expect(body['partition']).to.deep.equal({ state: 'healthy', reachable: ['node-1'] });
    expect((await call('GET', '/v1/members')).body['items']).to.have.length(1);
    expect((await call('GET', '/v1/partition/history?limit=1')).body).to.deep.equal({ items: [] });
    expect((await call('GET', '/v1/partition/history?limit=0')).status).to.equal(400);
    expect(String((await call('GET', '/metrics')).body['raw'])).to.include('quorate_raft_has_leader 1');
  });

  it('writes, reads, lists and deletes keys, with versions that are the index of the write', async () => {
    const written = await call('PUT', '/v1/kv/dir%2Fa', { value: 'one' });
    expect(written.status).to.equal(200);
    expect(written.body['version']).to.equal(written.body['index']);
    expect(written.headers.get('quorate-index')).to.equal(String(written.body['index']));

    const read = await call('GET', '/v1/kv/dir/a');
    expect(read.body).to.deep.equal({ key: 'dir/a', value: 'one', version: written.body['version'] });
    expect(read.headers.get('quorate-consistency')).to.equal('linearizable');
    expect((await call('GET', '/v1/kv/dir/a?consistency=local')).headers.get('quorate-age-ms')).to.match(/^\d+$/);

    expect((await call('PUT', '/v1/kv/dir/a', { value: 'two', ifVersion: 0 })).body).to.include({
      status: 409,
      code: 'version_mismatch',
      version: written.body['version'],
    });
    expect((await call('PUT', '/v1/kv/dir/a', { value: 'two', ifVersion: written.body['version'] })).status).to.equal(200);

    await call('PUT', '/v1/kv/dir/b', { value: 'b' });
    const first = await call('GET', '/v1/kv?prefix=dir/&limit=1');
    expect((first.body['items'] as unknown[]).length).to.equal(1);
    const second = await call('GET', `/v1/kv?prefix=dir/&limit=1&cursor=${encodeURIComponent(String(first.body['cursor']))}`);
    expect((second.body['items'] as { key: string }[])[0]?.key).to.equal('dir/b');

    expect((await call('DELETE', '/v1/kv/dir/a?ifVersion=1')).status).to.equal(409);
    expect((await call('DELETE', '/v1/kv/dir/a')).body['index']).to.be.a('number');
    expect((await call('DELETE', '/v1/kv/dir/a')).status).to.equal(404);
    expect((await call('GET', '/v1/kv/dir/a')).body).to.include({ status: 404, code: 'not_found' });
  });

  it('holds a blocking read until the key is newer', async () => {
    const { body } = await call('PUT', '/v1/kv/blocked', { value: 'one' });
    const waiting = call('GET', `/v1/kv/blocked?index=${String(body['version'])}&wait=30s`);

    await call('PUT', '/v1/kv/blocked', { value: 'two' });

    expect((await waiting).body['value']).to.equal('two');
    expect((await call('GET', '/v1/kv/blocked?index=999999&wait=1ms')).body['value']).to.equal('two');
  });

  it('takes a task through its life', async () => {
    const generation = await register('worker');
    const submitted = await call('POST', '/v1/tasks', { id: 'life', type: 'count', payload: { n: 1 }, requires: ['text'] });
    expect(submitted.status).to.equal(201);
    expect(submitted.body).to.include({ id: 'life', state: 'pending' });
    expect((await call('POST', '/v1/tasks', { id: 'life', type: 'count', payload: { n: 1 }, requires: ['text'] })).status).to.equal(200);
    expect((await call('POST', '/v1/tasks', { id: 'life', type: 'count', payload: { n: 2 } })).body).to.include({
      status: 409,
      code: 'id_conflict',
    });

    const item = await claimOne('worker', generation);
    expect(item).to.deep.include({ taskId: 'life', type: 'count', payload: { n: 1 }, attempt: 1, leaseMs: 10_000 });
    const { fence } = item;
    expect((await call('POST', '/v1/tasks/life/heartbeat', { fence, progress: 0.5 })).body).to.deep.equal({
      leaseMs: 10_000,
      cancelRequested: false,
    });
    expect((await call('POST', '/v1/tasks/life/complete', { fence: Number(fence) - 1, result: 1 })).body).to.include({
      code: 'stale_fence',
      status: 409,
    });

    const waiting = call('GET', '/v1/tasks/life?wait=30s');
    expect((await call('POST', '/v1/tasks/life/complete', { fence, result: { words: 6 } })).body['state']).to.equal('succeeded');
    expect((await call('POST', '/v1/tasks/life/complete', { fence, result: { words: 6 } })).status).to.equal(200);
    expect((await call('POST', '/v1/tasks/life/complete', { fence, result: { words: 7 } })).status).to.equal(409);
    const ended = (await waiting).body;
    expect(ended).to.deep.include({ state: 'succeeded', result: { words: 6 }, agent: 'worker', attempt: 1 });
    expect((ended['history'] as { state: string }[]).map(({ state }) => state)).to.deep.equal([
      'pending',
      'assigned',
      'running',
      'succeeded',
    ]);
  });

  it('retries a failed task, gives up when it may not, and revives it on request', async () => {
    const generation = await register('unlucky', { capabilities: ['luck'] });
    await call('POST', '/v1/tasks', {
      id: 'luck',
      type: 'try',
      requires: ['luck'],
      maxAttempts: 2,
      backoff: { baseMs: 0, factor: 1, maxMs: 0 },
    });

    const first = await claimOne('unlucky', generation);
    await call('POST', '/v1/tasks/luck/fail', { fence: first['fence'], error: 'no luck' });
    const second = await claimOne('unlucky', generation);
    expect(Number(second['fence'])).to.be.greaterThan(Number(first['fence']));
    const dead = await call('POST', '/v1/tasks/luck/fail', { fence: second['fence'], error: 'none at all' });

    expect(dead.body['state']).to.equal('dead');
    expect((await call('GET', '/v1/tasks?state=dead')).body['items']).to.have.length(1);
    expect((await call('POST', '/v1/tasks/luck/retry')).body['state']).to.equal('pending');
    expect((await call('DELETE', '/v1/tasks/luck')).body['state']).to.equal('cancelled');
    expect((await call('POST', '/v1/tasks/luck/retry', {})).body['state']).to.equal('pending');
    await call('DELETE', '/v1/tasks/luck');
  });

  it('requeues what an agent held when it deregisters', async () => {
    const generation = await register('leaver', { capabilities: ['leave'] });
    await call('POST', '/v1/tasks', { id: 'left', type: 'x', requires: ['leave'] });
    await claimOne('leaver', generation);

    expect((await call('DELETE', '/v1/agents/leaver')).status).to.equal(200);

    expect((await call('GET', '/v1/tasks/left')).body['state']).to.equal('pending');
    expect((await call('GET', '/v1/agents/leaver')).status).to.equal(404);
    await call('DELETE', '/v1/tasks/left');
  });

  it('finds agents by capabilities, swarm and status, and knows generations', async () => {
    const generation = await register('q1', { capabilities: ['a', 'b'], swarms: ['s'] });
    await register('q2', { capabilities: ['a', 'c'] });
    const ids = async (query: string): Promise<string[]> =>
      ((await call('GET', `/v1/agents?${query}`)).body['items'] as { id: string }[]).map(({ id }) => id);

    expect(await ids('all=a,b')).to.deep.equal(['q1']);
    expect(await ids('any=b,c')).to.deep.equal(['q1', 'q2']);
    expect(await ids('all=a&none=c')).to.deep.equal(['q1']);
    expect(await ids('swarm=s&status=available')).to.deep.equal(['q1']);
    expect((await call('POST', '/v1/agents/q1/heartbeat', { generation, status: 'busy', load: 0.5 })).body).to.deep.equal({
      ttlMs: 10_000,
      commands: [],
    });
    expect((await call('GET', '/v1/agents/q1')).body).to.include({ status: 'busy', generation });
    expect(await register('q1')).to.be.greaterThan(generation);
    expect((await call('POST', '/v1/agents/q1/heartbeat', { generation })).body).to.include({ status: 409, code: 'stale_generation' });
    expect((await call('POST', '/v1/agents/q1/claims', { generation })).status).to.equal(409);
    expect((await call('POST', '/v1/agents/nobody/heartbeat', { generation: 1 })).status).to.equal(404);
  });

  const suspicion = async (id: string): Promise<unknown[]> => {
    const { status, evidence } = (await call('GET', `/v1/agents/${id}`)).body;
    return [status, (evidence as { measure: string } | undefined)?.measure];
  };
  const suspected = ['suspect', 'socket_closed'];
  const onceSuspected = (id: string): Promise<unknown> =>
    until('a suspicion', async () => ((await suspicion(id))[0] === 'suspect' ? suspicion(id) : undefined));

  it('suspects an agent at once whose wait for work breaks off, until it speaks again', async () => {
    const generation = await register('cut-off');
    const breaking = new AbortController();
    const waiting = fetch(`${base}/v1/agents/cut-off/claims`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ generation, waitMs: 30_000 }),
      signal: breaking.signal,
    }).catch(() => 'broken off');

    await until('the claim to be heard', async () =>
      (await call('GET', '/v1/agents/cut-off')).body['heardBy'] === 'node-1' ? true : undefined,
    );
    breaking.abort();

    expect(await waiting).to.equal('broken off');
    expect(await onceSuspected('cut-off')).to.deep.equal(suspected);
    await call('POST', '/v1/agents/cut-off/heartbeat', { generation });
    expect(await suspicion('cut-off')).to.deep.equal(['available', undefined]);
  });

  it('suspects an agent at once whose stream breaks off, and not one that said goodbye', async () => {
    const ids = ['streaming', 'leaving'] as const;
    const clients = [];
    for (const id of ids) {
      const client = createClient({ endpoints: [base] });
      clients.push(client);
      const { generation } = await client.agents.register({ id, capabilities: ['text'], ttlMs: 60_000 });
      await client.agents.heartbeat(id, generation);
    }

    clients[1]?.close();
    clients[0]?.reconnect();

    expect(await onceSuspected('streaming')).to.deep.equal(suspected);
    expect(await suspicion('leaving')).to.deep.equal(['available', undefined]);
    clients[0]?.close();
  });

  it('gives the first answer again under an idempotency key', async () => {
    const first = await call('POST', '/v1/tasks', { type: 'once' }, { 'idempotency-key': 'k1' });
    const again = await call('POST', '/v1/tasks', { type: 'once' }, { 'idempotency-key': 'k1' });

    expect(again.status).to.equal(first.status);
    expect(again.body).to.deep.equal(first.body);
    expect((await call('POST', '/v1/tasks', { type: 'other' }, { 'idempotency-key': 'k1' })).status).to.equal(409);
    await call('DELETE', `/v1/tasks/${String(first.body['id'])}`);
  });

  it('takes many tasks at once, in order', async () => {
    const { status, body } = await call('POST', '/v1/tasks', [
      { id: 'm1', type: 'x', requires: ['none'] },
      { id: 'm2', type: 'x', requires: ['none'] },
    ]);

    expect(status).to.equal(200);
    expect((body['items'] as { id: string }[]).map(({ id }) => id)).to.deep.equal(['m1', 'm2']);
  });

  it('streams events from an index on', async () => {
    const { body } = await call('PUT', '/v1/kv/event', { value: 'x' });
    const abort = new AbortController();
    const response = await fetch(`${base}/v1/events?from=${Number(body['index']) - 1}&kinds=key`, { signal: abort.signal });
    const reader = response.body?.getReader();
    let text = '';
    while (!text.includes('"key":"event"')) text += new TextDecoder().decode((await reader?.read())?.value);
    abort.abort();

    expect(text).to.include(`id: ${String(body['index'])}\nevent: key\n`);
  });

  it('describes itself as OpenAPI 3.1', async () => {
    const { body } = await call('GET', '/openapi.json');

    expect(body['openapi']).to.equal('3.1.0');
    expect(Object.keys(body['paths'] as object)).to.include.members([
      '/v1/status',
      '/v1/kv/{key}',
      '/v1/agents/{id}/claims',
      '/v1/tasks',
      '/v1/tasks/{id}/complete',
      '/v1/events',
    ]);
  });

  const refusals: readonly (readonly [string, string, string, unknown, number, string])[] = [
    ['malformed JSON', 'POST', '/v1/tasks', '{"type":', 400, 'invalid_argument'],
    ['an unknown field', 'PUT', '/v1/kv/x', { value: 'v', extra: 1 }, 400, 'invalid_argument'],
    ['a field of another type', 'PUT', '/v1/kv/x', { value: 1 }, 400, 'invalid_argument'],
    ['a field out of bounds', 'PUT', '/v1/agents/a', { capabilities: [], ttlMs: 10 }, 400, 'invalid_argument'],
    ['a missing body', 'PUT', '/v1/kv/x', undefined, 400, 'invalid_argument'],
    ['a bad id', 'PUT', '/v1/agents/%20', { capabilities: [] }, 400, 'invalid_argument'],
    ['an unknown consistency', 'GET', '/v1/kv/x?consistency=maybe', undefined, 400, 'invalid_argument'],
    ['a bad duration', 'GET', '/v1/tasks/x?wait=soon', undefined, 400, 'invalid_argument'],
    ['an unknown path', 'GET', '/v1/nothing', undefined, 404, 'not_found'],
    ['an unknown task', 'GET', '/v1/tasks/nothing', undefined, 404, 'unknown_task'],
    ['a wrong method', 'PATCH', '/v1/tasks', undefined, 405, 'method_not_allowed'],
    ['a body over 1 MiB', 'PUT', '/v1/kv/x', { value: 'v'.repeat(1024 * 1024 + 1) }, 413, 'too_large'],
    ['a payload over 256 KiB', 'POST', '/v1/tasks', { type: 'x', payload: 'p'.repeat(300 * 1024) }, 413, 'too_large'],
    ['more than 1000 tasks', 'POST', '/v1/tasks', Array.from({ length: 1001 }, () => ({ type: 'x' })), 400, 'invalid_argument'],
    ['an agent without capabilities', 'PUT', '/v1/agents/a', {}, 400, 'invalid_argument'],
    ['a priority of 10', 'POST', '/v1/tasks', { type: 'x', priority: 10 }, 400, 'invalid_argument'],
  ];
  for (const [what, method, path, body, status, code] of refusals) {
    it(`refuses ${what} with ${status}`, async () => {
      const answer = await call(method, path, body);

      expect(answer.body).to.include({ status, code });
      expect(answer.status).to.equal(status);
      expect(answer.headers.get('content-type')).to.include('application/problem+json');
    });
  }

  it('names the field that is wrong, and the methods that are right', async () => {
    expect((await call('POST', '/v1/tasks', { type: 'x', backoff: { baseMs: -1, factor: 2, maxMs: 1 } })).body['path']).to.equal(
      'backoff.baseMs',
    );
    expect((await call('PUT', '/v1/kv/x', { value: 'v', extra: 1 })).body['path']).to.equal('extra');
    expect((await call('PATCH', '/v1/tasks')).headers.get('allow')).to.equal('POST, GET');
  });

  it('survives garbage on the client port', async () => {
    const { hostname, port } = new URL(base);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.end(Buffer.from('\u0000\u0001garbage\r\n\r\n')));
      socket.on('error', () => resolve());
      socket.on('close', () => resolve());
      socket.resume();
    });

    expect((await call('GET', '/livez')).status).to.equal(200);
  });
});
