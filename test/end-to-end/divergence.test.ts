import { join } from 'node:path';
import { expect } from 'chai';
import { nodeId } from '../../src/core/ids.ts';
import type { LogChainStatus } from '../../src/node/divergence.ts';
import { openLevelStore } from '../../src/storage/level-store.ts';
import { save } from '../storage/support.ts';
import { DevCluster, json, quorate, until } from './dev-cluster.ts';

const text = new TextDecoder();

describe('end to end: a log that somebody rewrites on the disk of a stopped node', function () {
  this.timeout(120_000);
  let cluster: DevCluster;

  before(async () => {
    cluster = await DevCluster.up(3);
    await cluster.leader();
  });

  after(() => cluster.down());

  const statusOf = (node: number): Promise<Record<string, unknown> | undefined> => json(`${cluster.endpoints[node - 1]}/v1/status`);

  async function logChain(node: number): Promise<LogChainStatus | undefined> {
    return (await statusOf(node))?.['logChain'] as LogChainStatus | undefined;
  }

  /** The same index and term, other bytes, and every checksum right: the store's own writer makes them. */
  async function rewrite(node: number, clusterId: string, id: string): Promise<void> {
    const directory = join(cluster.directory, `node-${node}`, 'store');
    const { store, state } = await openLevelStore({ directory, identity: { clusterId, nodeId: nodeId(id) } });
    const place = state.entries.findIndex(({ data }) => text.decode(data).includes('100 coins'));
    const suffix = state.entries.slice(place).map((entry) => ({ ...entry, data: entry.data.slice() }));
    const [first] = suffix;
    const at = text.decode(first?.data).indexOf('100 coins');
    expect(at, 'the entry is in the log').to.be.greaterThan(-1);
    // Letters of one byte each come before it.
    first?.data.set(new TextEncoder().encode('999 coins'), at);
    await save(store, { entries: suffix });
    await store.close();
  }

  it('is noticed by the node itself and by its peers, which go on', async () => {
    const put = (node: number, value: string) =>
      json(`${cluster.endpoints[node - 1]}/v1/kv/account`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ value }),
      });
    const leader = await cluster.leader();
    const odd = (leader % 3) + 1;
    const other = 6 - leader - odd;
    expect(await put(leader, '100 coins')).to.have.property('version');
    expect(await put(leader, 'and more')).to.have.property('version');
    const status = await until('the follower to apply it', async () => {
      const [own, leading] = [await statusOf(odd), await statusOf(leader)];
      return own !== undefined && own['appliedIndex'] === leading?.['appliedIndex'] ? own : undefined;
    });
    expect((await logChain(odd))?.divergence).to.equal(null);

    await cluster.dev('kill', odd);
    await rewrite(odd, String(status['clusterId']), String(status['nodeId']));
    // It hears from its peers that its log is not theirs, and is not ready.
    await cluster.dev('restart', odd);
    const own = await until('the node to notice', async () => (await logChain(odd))?.divergence ?? undefined);
    const theirs = await until('a peer to notice', async () => (await logChain(other))?.divergence ?? undefined);
    const sure = await until('the node to know that it is the odd one', async () => {
      const divergence = (await logChain(odd))?.divergence;
      return divergence?.odd === 'self' ? divergence : undefined;
    });
    const ready = await json(`${cluster.endpoints[odd - 1]}/readyz?verbose=1`);

    expect(own.isDiverged).to.equal(true);
    expect(sure.differing).to.have.length(2);
    expect(theirs.differing.map(({ nodeId: id }) => id)).to.deep.equal([status['nodeId']]);
    expect(ready?.['status']).to.equal(503);
    expect(ready?.['detail']).to.contain('which is the odd one');
    const [sides, shown] = await until('the others to be sure of themselves', async () => {
      const divergence = (await logChain(other))?.divergence;
      return divergence?.isDiverged === false ? [divergence, await json(`${cluster.endpoints[other - 1]}/readyz`)] : undefined;
    });
    expect(sides.odd).to.equal('peers');
    expect(shown?.['status']).to.equal('ok');
    expect((await quorate('--endpoints', cluster.endpoints[other - 1] ?? '', 'status')).stdout).to.contain('RAFT_DIVERGENCE');
    expect(await put(other, 'as before')).to.have.property('version');
  });
});
