import { expect } from 'chai';
import * as fc from 'fast-check';
import { InvariantError } from '../../src/core/assert.ts';
import { SortedList } from '../../src/registry/sorted-list.ts';

const ascending = (a: number, b: number): number => a - b;

describe('registry: sorted list', () => {
  it('holds what a sorted set would hold, through additions, deletions and seeks', () => {
    const steps = fc.array(fc.record({ item: fc.nat(40), kind: fc.constantFrom('add', 'delete', 'seek') }), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (script) => {
        const list = new SortedList<number>(ascending);
        const model = new Set<number>();
        for (const { item, kind } of script) {
          if (kind === 'delete') expect(list.delete(item)).to.equal(model.delete(item));
          else if (kind === 'add' && !model.has(item)) {
            model.add(item);
            list.add(item);
          }
          const sorted = [...model].toSorted(ascending);
          expect([...list.from((each) => each < item)]).to.deep.equal(sorted.filter((each) => each >= item));
          expect([list.size, list.first()]).to.deep.equal([sorted.length, sorted[0]]);
        }
      }),
      { numRuns: 50 },
    );
  });

  for (const [what, step] of [
    ['rising', 1],
    ['falling', 9_999],
    ['scattered', 7_919],
  ] as const) {
    it(`keeps ten thousand ${what} items in order, and empties again`, () => {
      const list = new SortedList<number>(ascending);
      const items = Array.from({ length: 10_000 }, (_, i) => (i * step) % 10_000);
      for (const item of items) list.add(item);

      const inOrder = [...list];
      const tail = [...list.from((item) => item < 9_990)];
      const deleted = items.filter((item) => list.delete(item)).length;

      expect(inOrder).to.deep.equal(items.toSorted(ascending));
      expect(tail).to.deep.equal([9_990, 9_991, 9_992, 9_993, 9_994, 9_995, 9_996, 9_997, 9_998, 9_999]);
      expect([deleted, list.size, list.first()]).to.deep.equal([10_000, 0, undefined]);
    });
  }

  it('takes an item once', () => {
    const list = new SortedList<number>(ascending);
    list.add(1);

    expect(() => list.add(1)).to.throw(InvariantError);
  });
});
