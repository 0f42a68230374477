import { expect } from 'chai';
import * as fc from 'fast-check';
import { type Entry, type Sibling, merge, project, write } from '../../src/gossip/entry.ts';
import { compareSiblings, resolve } from '../../src/gossip/resolver.ts';
import { latestStamp } from '../../src/gossip/hybrid-clock.ts';
import { dot, n1, n2, n3, n4, sibling, text } from './support.ts';

const nodes = [n1, n2, n3, n4];

type Step = { readonly kind: 'write' | 'merge'; readonly to: number; readonly from: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({ kind: fc.constantFrom('write' as const, 'merge' as const), to: fc.nat(3), from: fc.nat(3) }),
  { minLength: 1, maxLength: 40 },
);

/** Four replicas of one key that write and learn of each other; what each held at any time, and what the causal history says it must hold. */
function live(history: readonly Step[]) {
  const held: (Entry | undefined)[] = [undefined, undefined, undefined, undefined];
  const seen = nodes.map(() => new Set<number>());
  const all: Entry[] = [];
  const written: { readonly builtOn: ReadonlySet<number>; readonly value: Sibling }[] = [];
  for (const { kind, to, from } of history) {
    const [own, other] = [held[to], held[from]];
    const node = nodes[to];
    if (kind === 'write' && node !== undefined) {
      const value = sibling(dot(node, written.length + 1), { stamp: 1 + (written.length % 3) });
      held[to] = write(own, value);
      written.push({ builtOn: new Set(seen[to]), value });
      seen[to]?.add(written.length - 1);
    } else if (other !== undefined) {
      held[to] = own === undefined ? other : merge(own, other);
      for (const one of seen[from] ?? []) seen[to]?.add(one);
    }
    const now = held[to];
    if (now !== undefined) all.push(now);
  }
  /** Of what a replica has seen, all that nothing else it has seen builds on. */
  const expected = (replica: number): string[] => {
    const known = [...(seen[replica] ?? [])];
    return known
      .filter((one) => !known.some((other) => written[other]?.builtOn.has(one)))
      .map((one) => String(written[one]?.value.dot.counter))
      .toSorted();
  };
  return { held, all, expected };
}

const counters = (entry: Entry | undefined): string[] => (entry?.siblings ?? []).map((s) => String(s.dot.counter)).toSorted();

describe('gossip: dotted version vectors (protocol design 2.2)', () => {
  it('merge is commutative, associative and idempotent', () => {
    fc.assert(
      fc.property(steps, fc.nat(), fc.nat(), fc.nat(), (history, i, j, k) => {
        const { all } = live([{ kind: 'write', to: 0, from: 0 }, ...history]);
        const pick = (at: number): Entry => all[at % all.length] as Entry;
        const [a, b, c] = [pick(i), pick(j), pick(k)];

        expect(merge(a, b)).to.deep.equal(merge(b, a));
        expect(merge(a, merge(b, c))).to.deep.equal(merge(merge(a, b), c));
        expect(merge(a, a)).to.equal(a);
        expect(merge(merge(a, b), b)).to.deep.equal(merge(a, b));
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps exactly the writes that no known write builds on: none is lost, none is kept for ever', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const { held, expected } = live(history);

        for (const [replica, entry] of held.entries()) expect(counters(entry)).to.deep.equal(expected(replica));
      }),
      { numRuns: 1000 },
    );
  });

  it('has one value of a node at most, however often it writes without having seen the others', () => {
    fc.assert(
      fc.property(steps, (history) => {
        for (const { siblings } of live(history).all) {
          expect(new Set(siblings.map((s) => s.dot.node)).size).to.equal(siblings.length);
        }
      }),
    );
  });

  it('gives back the same object when there is nothing new', () => {
    const old = write(undefined, sibling(dot(n1, 1)));
    const next = write(old, sibling(dot(n1, 2)));

    expect(merge(next, old)).to.equal(next);
  });

  it('bounds the values of a key to four, those that rank highest', () => {
    const entries = Array.from({ length: 7 }, (_, i) =>
      write(undefined, sibling({ ...dot(n1, 1), node: `m${i}` as typeof n1 }, { stamp: i })),
    );

    const merged = entries.reduce((a, b) => merge(a, b));

    expect(merged.siblings.map(({ stamp }) => stamp)).to.deep.equal([6, 5, 4, 3]);
    expect(merged.vector).to.have.length(7);
  });

  it('keeps both when each side says that it replaced the other, which only a liar can', () => {
    const vector = [dot(n1, 1), dot(n2, 1)];
    const a = { vector, siblings: [sibling(dot(n1, 1))] };
    const b = { vector, siblings: [sibling(dot(n2, 1))] };

    expect(merge(a, b).siblings).to.have.length(2);
    expect(merge(a, b)).to.deep.equal(merge(b, a));
  });

  it('takes the same one of two values of one dot on all nodes', () => {
    const a = write(undefined, sibling(dot(n1, 1), { value: text('a') }));
    const b = write(undefined, sibling(dot(n1, 1), { value: text('b') }));

    expect(merge(a, b)).to.deep.equal(merge(b, a));
  });

  it('leaves values of nodes that left only where no member has one', () => {
    const isMember = (node: string): boolean => node !== n3;
    const both = merge(write(undefined, sibling(dot(n1, 1))), write(undefined, sibling(dot(n3, 1))));
    const alone = write(undefined, sibling(dot(n3, 1)));

    expect(project(both, isMember, true)).to.deep.equal({ vector: [dot(n1, 1), dot(n3, 1)], siblings: [sibling(dot(n1, 1))] });
    expect(project(both, isMember, false).vector).to.deep.equal([dot(n1, 1)]);
    expect(project(alone, isMember, false)).to.equal(alone);
  });
});

describe('gossip: the resolver (protocol design 2.2)', () => {
  const candidates: fc.Arbitrary<Sibling> = fc
    .record({
      node: fc.constantFrom(...nodes),
      number: fc.integer({ min: 1, max: 4 }),
      stamp: fc.nat(3),
      generation: fc.nat(2),
      observer: fc.boolean(),
    })
    .map(({ node, number, observer, ...rest }) => sibling(dot(node, number), { ...rest, role: observer ? 'observer' : 'owner' }));
  const distinct = fc.uniqueArray(candidates, { minLength: 1, maxLength: 6, selector: (s) => `${s.dot.node}/${s.dot.counter}` });

  it('chooses the same winner in whatever order the values came', () => {
    fc.assert(
      fc.property(distinct, fc.nat(), (siblings, turn) => {
        const turned = [...siblings.slice(turn % siblings.length), ...siblings.slice(0, turn % siblings.length)].toReversed();

        expect(resolve(siblings, 0)?.winner).to.equal(resolve(turned, 0)?.winner);
      }),
    );
  });

  it('is a total order', () => {
    fc.assert(
      fc.property(distinct, (siblings) => {
        for (const a of siblings) {
          for (const b of siblings) {
            expect(Math.sign(compareSiblings(a, b))).to.equal(-Math.sign(compareSiblings(b, a)) + 0);
            expect(compareSiblings(a, b) === 0).to.equal(a === b);
          }
        }
        const sorted = siblings.toSorted(compareSiblings);
        for (let i = 1; i < sorted.length; i++) expect(compareSiblings(sorted[i] as Sibling, sorted[0] as Sibling)).to.be.above(0);
      }),
    );
  });

  const low = { generation: 1, stamp: 5 };
  const table = [
    ['a later registration over a later time', { generation: 2, stamp: 1 }, { generation: 1, stamp: 9 }],
    ['the owner over an observer that wrote later', { ...low, role: 'owner' }, { ...low, stamp: 9, role: 'observer' }],
    ['the later time', { ...low, stamp: 6 }, low],
  ] as const;
  for (const [what, winner, loser] of table) {
    it(`prefers ${what}`, () => {
      const siblings = [sibling(dot(n2, 1), loser), sibling(dot(n1, 1), winner)];

      const resolved = resolve(siblings, 0);

      expect(resolved?.winner).to.equal(siblings[1]);
      expect(resolved?.conflicts).to.deep.equal([siblings[0]]);
    });
  }

  it('ranks a time too far ahead last until it comes, so that a wrong clock does not win for ever', () => {
    const unixMs = 1_000_000;
    const sane = sibling(dot(n1, 1), { stamp: latestStamp(unixMs) });
    const fast = sibling(dot(n2, 1), { stamp: latestStamp(unixMs) + 1 });
    const entry = { vector: [], siblings: [fast, sane] };

    expect(resolve(entry.siblings, unixMs)?.winner).to.equal(sane);
    expect(resolve(entry.siblings, unixMs + 1)?.winner).to.equal(fast);
  });
});
