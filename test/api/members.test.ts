import { expect } from 'chai';
import { createIdentity } from '../../src/transport/identity.ts';
import { DevCluster, json, quorate } from '../end-to-end/dev-cluster.ts';

describe('api: members', function () {
  this.timeout(60_000);
  let cluster: DevCluster;
  let base: string;

  before(async () => {
    cluster = await DevCluster.up(3, '--heartbeat-ms', '20', '--election-timeout-ms', '200');
    await cluster.leader();
    base = cluster.endpoints[0] ?? '';
  });

  after(() => cluster.down());

  const post = (path: string, body: unknown) =>
    json(base + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const names = (answer: Record<string, unknown> | undefined) => ((answer?.['items'] ?? []) as { name: string }[]).map(({ name }) => name);

  it('a node that was added is a learner with its addresses, and is gone when removed', async () => {
    const { nodeId } = await createIdentity();
    const member = { nodeId, name: 'node-4', http: 'http://127.0.0.1:18001', peer: '127.0.0.1:18002' };

    const added = await post('/v1/members', member);
    const promoted = await post('/v1/members', { nodeId, role: 'voter' });
    const removed = await quorate('--endpoints', base, 'member', 'remove', 'node-4', '-o', 'json');

    expect(((added?.['items'] ?? []) as unknown[])[3]).to.deep.equal({ ...member, voter: false });
    expect(promoted).to.include({ status: 409, code: 'not_caught_up' });
    expect(promoted?.['detail']).to.match(/^learner node-4 has not caught up/);
    expect(removed.code, removed.stderr).to.equal(0);
    expect(names(JSON.parse(removed.stdout))).to.deep.equal(['node-1', 'node-2', 'node-3']);
  });

  it('refuses a name that is taken, an unknown member, half an address and an id that is of no key', async () => {
    const { nodeId } = await createIdentity();
    const taken = await post('/v1/members', { nodeId, name: 'node-1', http: 'http://127.0.0.1:18001', peer: '127.0.0.1:18002' });

    expect(taken).to.include({ status: 409, code: 'id_conflict' });
    expect(await post('/v1/members', { nodeId, role: 'voter' })).to.include({ status: 404 });
    expect(await post('/v1/members', { nodeId, name: 'x' })).to.include({ status: 400 });
    expect(await post('/v1/members', { nodeId: 'x', role: 'voter' })).to.include({ status: 400 });
    expect(await json(`${base}/v1/members/x`, { method: 'DELETE' })).to.include({ status: 404 });
    expect(await post('/v1/leader/transfer', { to: 'x' })).to.include({ status: 404 });
  });

  it('hands leadership to the member that is named', async () => {
    const before = await cluster.leader();
    const to = (before % 3) + 1;

    const moved = await quorate('--endpoints', base, 'member', 'transfer-leader', `node-${to}`);

    expect(moved.code, moved.stderr).to.equal(0);
    expect(await cluster.leader()).to.equal(to);
  });

  it('takes a token for one node once, again from that node, and no other token', async () => {
    const where = { name: 'node-5', http: 'http://127.0.0.1:18003', peer: '127.0.0.1:18004' };
    const first = { nodeId: (await createIdentity()).nodeId, ...where };
    const other = { ...first, nodeId: (await createIdentity()).nodeId, name: 'node-6' };
    const token = (await post('/v1/members/tokens', {}))?.['token'];

    const unknown = await post('/v1/members/join', { token: 'no', ...first });
    const joined = await post('/v1/members/join', { token, ...first });
    const again = await post('/v1/members/join', { token, ...first });
    const used = await post('/v1/members/join', { token, ...other });

    expect(unknown).to.include({ status: 403, code: 'token_refused' });
    expect(joined).to.have.nested.property('genesis.members').with.length(3);
    expect(joined)
      .to.have.nested.property('roster.members')
      .that.deep.includes({ ...first, voter: false });
    expect(again)
      .to.have.nested.property('roster.members')
      .that.deep.includes({ ...first, voter: false });
    expect(used).to.include({ status: 403 });
  });
});
