import { expect } from 'chai';
import * as fc from 'fast-check';
import { type NodeId, nodeId } from '../../src/core/ids.ts';
import type { Update } from '../../src/gossip/batch.ts';
import { bootOf, counterOf } from '../../src/gossip/dot.ts';
import { gossipLimits } from '../../src/gossip/limits.ts';
import type { GossipMessage } from '../../src/gossip/messages.ts';
import { signingKey, verifySignature } from '../../src/crypto/node.ts';
import { createSealer } from '../../src/wire/gossip-batch.ts';
import { isVoteFrame } from '../../src/node/votes/vote-links.ts';
import { decodeGossip, encodeBatchFrame, encodeGossip, isGossipFrame } from '../../src/wire/gossip.ts';
import { encodeFrame } from '../../src/wire/frames.ts';

const cluster = 7;
const names = ['n1', 'n2', 'n3'].map((name) => nodeId(name));
const keys = new Map<NodeId, ReturnType<typeof signingKey>>(names.map((name, i) => [name, signingKey(new Uint8Array(32).fill(i + 1))]));
const sealerOf = (self: NodeId, clusterTag = cluster) =>
  createSealer({
    clusterTag,
    sign: (message) => keys.get(self)?.sign(message) ?? new Uint8Array(64),
    verify: (node, message, signature) => verifySignature(keys.get(node)?.publicKey ?? new Uint8Array(32), message, signature),
  });

const nodes = fc.constantFrom(...names);
const counters = fc
  .tuple(fc.integer({ min: 1, max: 2 ** 21 - 1 }), fc.integer({ min: 1, max: 2 ** 32 - 1 }))
  .map(([boot, n]) => counterOf(boot, n));
const dots = fc.record({ node: nodes, counter: counters });
const values = fc.option(fc.uint8Array({ maxLength: gossipLimits.valueBytes }), { nil: undefined });
const key = fc.string({ minLength: 1, maxLength: gossipLimits.keyLength });
const role = fc.constantFrom('owner' as const, 'observer' as const);
const safe = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const vectors = fc
  .uniqueArray(dots, { minLength: 1, maxLength: 3, selector: (d) => d.node })
  .map((v) => v.toSorted((a, b) => (a.node < b.node ? -1 : 1)));
const entries = vectors.chain((vector) =>
  fc
    .tuple(...vector.map((d) => fc.record({ dot: fc.constant(d), stamp: safe, generation: safe, role, value: values })))
    .map((siblings) => ({ vector, siblings })),
);
const messages: fc.Arbitrary<Exclude<GossipMessage, { type: 'batch' }>> = fc.oneof(
  fc.record({
    type: fc.constant('digest' as const),
    have: fc.array(dots, { maxLength: 5 }),
    buckets: fc.array(fc.integer(), { minLength: 32, maxLength: 32 }),
    epoch: safe,
    isAnswer: fc.boolean(),
  }),
  fc.record({ type: fc.constant('need' as const), have: fc.array(dots, { maxLength: 5 }) }),
  fc.record({
    type: fc.constant('delta' as const),
    ranges: fc.array(
      fc.record({ node: nodes, upTo: counters }).map((range) => ({ ...range, after: counterOf(bootOf(range.upTo), 0) })),
      { maxLength: 5 },
    ),
    entries: fc.array(fc.tuple(key, entries), { maxLength: 4 }),
    whole: fc.nat(2 ** 16 - 1),
    isPart: fc.boolean(),
  }),
);

const low = counterOf(3, 5);
const updates: fc.Arbitrary<Update[]> = fc.array(
  fc.record({
    key,
    counter: fc.nat(1000).map((n) => low + n),
    vector: fc.array(fc.record({ node: nodes, counter: counters }), { maxLength: 2 }),
    stamp: fc.nat(2 ** 50),
    generation: safe,
    role,
    value: values,
  }),
  { maxLength: 5 },
);
const headerOf = (count: number) => ({ origin: names[0] as NodeId, epoch: 9, low, high: low + 1000, stamp: 2 ** 50, count });

const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

describe('wire: gossip', () => {
  it('reads back every message as it was', () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(decodeGossip(cluster, encodeGossip(cluster, message))).to.deep.equal({ message, hops: 0 });
      }),
    );
  });

  it('reads back a batch as it was, and its signature is good', () => {
    fc.assert(
      fc.property(updates, fc.nat(255), (list, hops) => {
        const sealer = sealerOf(names[0] as NodeId);
        const sealed = sealer.seal(headerOf(list.length), list);

        const frame = decodeGossip(cluster, encodeBatchFrame(cluster, sealed, hops));

        if (frame?.message.type !== 'batch') throw new Error('it is no batch');
        const { batch } = frame.message;
        expect([frame.hops, batch.header, plain(batch.bytes)]).to.deep.equal([hops, sealed.header, sealed.bytes]);
        expect(sealer.isGenuine(batch)).to.equal(true);
        expect(sealer.open(batch)).to.deep.equal(list);
      }),
      { numRuns: 50 },
    );
  });

  it('notices every changed byte of a batch but that of the hops', () => {
    const sealer = sealerOf(names[0] as NodeId);
    const list: Update[] = [{ key: 'a', counter: low, vector: [], stamp: 1, generation: 1, role: 'owner', value: Uint8Array.of(1, 2, 3) }];
    const frame = encodeBatchFrame(cluster, sealer.seal(headerOf(1), list), 1);
    const hopsAt = 7;
    for (let at = 0; at < frame.length; at++) {
      const flipped = plain(frame);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));

      const message = decodeGossip(cluster, flipped)?.message;

      const isTaken = message?.type === 'batch' && sealer.isGenuine(message.batch);
      expect(isTaken, `byte ${at}`).to.equal(at === hopsAt);
    }
  });

  it('refuses a batch of another cluster, though it is signed', () => {
    const sealed = sealerOf(names[0] as NodeId, 8).seal(headerOf(0), []);

    expect(decodeGossip(cluster, encodeBatchFrame(8, sealed, 0))).to.equal(undefined);
    expect(decodeGossip(cluster, encodeBatchFrame(cluster, sealed, 0))).to.equal(undefined);
  });

  it('never throws, whatever the bytes, and takes nothing that is beyond the bounds', () => {
    fc.assert(
      fc.property(messages, fc.nat(), fc.nat(255), (message, at, byte) => {
        const frame = plain(encodeGossip(cluster, message));
        frame[at % frame.length] = byte;

        const read = decodeGossip(cluster, frame)?.message;

        if (read?.type !== 'delta') return;
        for (const [, entry] of read.entries) {
          expect(entry.siblings.length).to.be.within(1, gossipLimits.siblings);
          for (const { value } of entry.siblings) expect(value?.length ?? 0).to.be.at.most(gossipLimits.valueBytes);
        }
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => decodeGossip(cluster, bytes) === undefined || isGossipFrame(bytes)),
    );
  });

  const entry = (vector: unknown, siblings: unknown) => ({
    type: 'delta',
    ranges: [],
    entries: [['k', { vector, siblings }]],
    whole: 0,
    isPart: false,
  });
  const d = (node: number, number: number) => ({ node: names[node], counter: counterOf(1, number) });
  const s = (node: number, number: number) => ({ dot: d(node, number), stamp: 1, generation: 1, role: 'owner', value: undefined });
  const bad: [string, unknown][] = [
    ['no value', entry([d(0, 1)], [])],
    ['a value that its vector does not cover', entry([d(0, 1)], [s(0, 2)])],
    ['two values of a node', entry([d(0, 2)], [s(0, 1), s(0, 2)])],
    ['a node twice in its vector', entry([d(0, 1), d(0, 2)], [s(0, 1)])],
  ];
  for (const [what, message] of bad) {
    it(`refuses an entry with ${what}`, () => {
      expect(decodeGossip(cluster, encodeGossip(cluster, message as Exclude<GossipMessage, { type: 'batch' }>))).to.equal(undefined);
    });
  }

  it('is not taken for another frame', () => {
    expect(isGossipFrame(encodeGossip(cluster, { type: 'need', have: [] }))).to.equal(true);
    expect(isGossipFrame(encodeFrame(cluster, { kind: 'ping' }))).to.equal(false);
    expect(isVoteFrame(encodeGossip(cluster, { type: 'need', have: [] }))).to.equal(false);
  });
});
