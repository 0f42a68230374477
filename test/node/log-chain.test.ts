import { expect } from 'chai';
import { nodeHashes } from '../../src/crypto/node.ts';
import { nobleHashes } from '../../src/crypto/noble.ts';
import { genesisChain, LogChain, nextChain } from '../../src/node/log-chain.ts';
import type { Entry } from '../../src/raft/messages.ts';

const genesis = genesisChain(nodeHashes, 'c1');
const start = { index: 0, chain: genesis };
const entry = (index: number, count = 1): Entry => ({ index, term: 1, count, kind: 'command', data: Uint8Array.of(index & 255) });
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A chain after entries that end at these indices. */
function chainOf(...ends: readonly number[]): LogChain {
  const log = new LogChain(nodeHashes, start);
  let last = 0;
  for (const end of ends) {
    log.add(entry(end, end - last));
    last = end;
  }
  return log;
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

describe('node: the chain over the log (protocols 1.9)', () => {
  it('is SHA-256 over the chain before, index, term, kind, count and data, little endian', () => {
    const one: Entry = { index: 2 ** 32 + 5, term: 2 ** 33 + 7, count: 3, kind: 'configuration', data: Uint8Array.of(1, 2) };
    const numbers = '050000000100000007000000020000000203000000';

    expect(hex(nextChain(nodeHashes, genesis, one))).to.equal(hex(nobleHashes.sha256(Buffer.from(`${hex(genesis)}${numbers}0102`, 'hex'))));
  });

  it('begins with the cluster, so that no head of one cluster is one of another', () => {
    expect(hex(genesis)).not.to.equal(hex(genesisChain(nodeHashes, 'c2')));
  });

  it('is another one when anything in the entry is, or anything before it', () => {
    const one: Entry = { index: 9, term: 4, count: 2, kind: 'command', data: Uint8Array.of(1, 2, 3) };
    const others: readonly Entry[] = [
      { ...one, index: 8 },
      { ...one, term: 3 },
      { ...one, count: 1 },
      { ...one, kind: 'noop' },
      { ...one, data: Uint8Array.of(1, 2, 4) },
      { ...one, data: Uint8Array.of(1, 2) },
    ];
    const chains = [one, ...others].map((each) => nextChain(nodeHashes, genesis, each));

    expect(new Set([...chains, nextChain(nodeHashes, chains[0] ?? genesis, one)].map(hex)).size).to.equal(8);
  });

  it('goes on from a snapshot as it would have gone on without', () => {
    const whole = chainOf(3, 4, 9);
    const log = new LogChain(nodeHashes, { index: 4, chain: chainOf(3, 4).head.chain });

    log.add(entry(9, 5));

    expect(log.head).to.deep.equal(whole.head);
  });

  it('knows its newest ends, and tells where no entry ends', () => {
    const log = chainOf(3, 4, 9);

    expect(log.at(4)).to.deep.equal(chainOf(3, 4).head.chain);
    expect(log.at(9)).to.equal(log.head.chain);
    expect(log.at(7)).to.equal('none');
    expect(log.at(10)).to.equal(undefined);
  });

  it('remembers of what is long ago only the checkpoints: the ends that reach a multiple of 1,024', () => {
    const log = chainOf(...upTo(1023), 1030, ...upTo(5000).slice(1030));

    expect(log.checkpoint?.index).to.equal(4096);
    expect(log.at(1030)).to.deep.equal(chainOf(...upTo(1023), 1030).head.chain);
    expect(log.at(1029)).to.equal(undefined);
    expect(log.at(2048)).to.be.instanceOf(Uint8Array);
    expect(log.at(5000 - 2047)).to.be.instanceOf(Uint8Array);
    expect(log.at(5000 - 2048)).to.equal(undefined);
  });

  it('forgets the log that a snapshot has taken the place of', () => {
    const log = chainOf(...upTo(2000));
    const snapshot = { index: 5000, chain: genesis };

    log.restart(snapshot);

    expect(log.head).to.equal(snapshot);
    expect(log.checkpoint).to.equal(undefined);
    expect(log.at(5000)).to.equal(genesis);
    expect([log.at(1024), log.at(2000), log.at(4999)]).to.deep.equal([undefined, undefined, undefined]);
  });

  it('takes entries in order only', () => {
    expect(() => chainOf(1).add(entry(3))).to.throw('in order');
  });
});
