import { expect } from 'chai';
import * as fc from 'fast-check';
import { toHex } from '../../../src/byzantine/bytes.ts';
import { Journal } from '../../../src/node/votes/journal.ts';
import type { VoteChange, VoteRecord } from '../../../src/storage/vote-store.ts';

const lettersOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const isShortLived = (key: Uint8Array): boolean => key[0] === 's'.charCodeAt(0);

/** What a store holds after these changes. */
class Records {
  readonly #records = new Map<string, VoteRecord>();

  apply(changes: readonly VoteChange[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.#records.delete(toHex(key));
      else this.#records.set(toHex(key), { key, value });
    }
  }

  get all(): readonly VoteRecord[] {
    return [...this.#records.values()];
  }

  get bytes(): number {
    return this.all.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  }
}

const sorted = (records: Iterable<VoteRecord>): readonly string[] =>
  [...records].map(({ key, value }) => `${toHex(key)} ${toHex(value)}`).toSorted();

const keys = fc.constantFrom('s1', 's2', 's3', 's4', 'l1', 'l2').map(lettersOf);
const changes: fc.Arbitrary<VoteChange> = fc.record({ key: keys, value: fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }) });

describe("node: the votes' journal", () => {
  it('holds after every write and every restart what the changes say', () => {
    const write = fc.record({ changes: fc.array(changes, { maxLength: 6 }), restarts: fc.boolean() });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 30 }), (writes) => {
        const [expected, store] = [new Records(), new Records()];
        let journal = new Journal([], isShortLived);

        for (const each of writes) {
          expected.apply(each.changes);
          store.apply(journal.pack(each.changes));
          if (each.restarts) journal = new Journal(store.all, isShortLived);
          const longLived = store.all.filter(({ key }) => key[0] === 'l'.charCodeAt(0));

          expect(sorted([...longLived, ...journal.records()])).to.deep.equal(sorted(expected.all));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('makes one operation of all short-lived changes of a write, and none of what comes and goes in it', () => {
    const journal = new Journal([], isShortLived);

    const first = journal.pack([
      { key: lettersOf('s1'), value: lettersOf('a') },
      { key: lettersOf('s2'), value: lettersOf('b') },
    ]);
    const second = journal.pack([
      { key: lettersOf('s3'), value: lettersOf('c') },
      { key: lettersOf('s3'), value: undefined },
    ]);

    expect(first).to.have.length(1);
    expect(second).to.deep.equal([]);
  });

  it('leaves nothing behind but its last page when all is deleted', () => {
    const journal = new Journal([], isShortLived);
    const store = new Records();
    for (let i = 0; i < 100; i++) store.apply(journal.pack([{ key: lettersOf(`s${i}`), value: lettersOf('a') }]));

    for (let i = 0; i < 100; i++) store.apply(journal.pack([{ key: lettersOf(`s${i}`), value: undefined }]));

    expect(store.all).to.have.length.at.most(1);
    expect([...journal.records()]).to.deep.equal([]);
  });

  it('does not grow for ever behind a record that stays', () => {
    const journal = new Journal([], isShortLived);
    const store = new Records();
    store.apply(journal.pack([{ key: lettersOf('s0'), value: lettersOf('stays') }]));

    for (let i = 0; i < 1000; i++) store.apply(journal.pack([{ key: lettersOf('s1'), value: new Uint8Array(10_000).fill(i) }]));

    expect(store.bytes).to.be.lessThan(1_200_000);
    expect(sorted(new Journal(store.all, isShortLived).records())).to.deep.equal(sorted(journal.records()));
  });
});
