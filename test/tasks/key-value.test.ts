import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Command } from '../../src/tasks/commands.ts';
import { KeyValue } from '../../src/tasks/key-value.ts';
import { Log } from './support.ts';

const put = (key: string, value: string, ifVersion?: number): Command => ({ op: 'PutKey', key, value, ifVersion });
const remove = (key: string, ifVersion?: number): Command => ({ op: 'DeleteKey', key, ifVersion });

describe('tasks: keys', () => {
  it('the version of a key is the index of its last write', () => {
    const log = new Log();
    log.must(put('a', '1'));
    log.must(put('b', '1'));

    const value = log.must(put('a', '2'));

    expect(value).to.deep.equal({ kind: 'key', version: 3 });
    expect(log.state.keys.get('a')).to.deep.equal({ key: 'a', value: '2', version: 3 });
  });

  it('a guarded write asks for the version it has seen, 0 for none, and is told the present one', () => {
    const log = new Log();

    const absent = log.apply(put('k', '1', 7));
    log.must(put('k', '1', 0));
    const present = log.apply(put('k', '2', 0));
    log.must(put('k', '3', 2));

    expect(!absent.ok && absent.failure).to.deep.include({ code: 'version_mismatch', data: { version: 0 } });
    expect(!present.ok && present.failure).to.deep.include({ code: 'version_mismatch', data: { version: 2 } });
    expect(log.state.keys.get('k')?.value).to.equal('3');
  });

  it('a delete says when there is nothing, and guards like a write', () => {
    const log = new Log();
    log.must(put('k', '1'));

    const missing = log.refusal(remove('other'));
    const missingGuarded = log.refusal(remove('other', 4));
    const stale = log.refusal(remove('k', 9));
    log.must(remove('k', 1));

    expect([missing, missingGuarded, stale]).to.deep.equal(['not_found', 'version_mismatch', 'version_mismatch']);
    expect(log.state.keys.size).to.equal(0);
    expect(log.events.at(-1)).to.deep.include({ kind: 'key', key: 'k', version: undefined });
  });

  it('has room for so many keys and so much text, and writing over a key needs only what it grows by', () => {
    const log = new Log({ maxKeys: 2, maxKeyText: 10 });
    log.must(put('a', '1234'));
    log.must(put('b', '123'));

    const third = log.refusal(put('c', ''));
    const grown = log.refusal(put('b', '12345'));
    log.must(put('b', '1234'));
    log.must(remove('a'));
    log.must(put('c', ''));

    expect([third, grown]).to.deep.equal(['overloaded', 'overloaded']);
    expect(log.state.keys.text).to.equal(6);
  });

  it('refuses keys and values out of bounds', () => {
    const log = new Log();

    expect(log.refusal(put('', '1'))).to.equal('invalid_argument');
    expect(log.refusal(put('x'.repeat(1_025), '1'))).to.equal('too_large');
    expect(log.refusal(put('k', 'x'.repeat(2 ** 20 + 1)))).to.equal('too_large');
    expect(log.refusal(put('k', '1', -1))).to.equal('invalid_argument');
  });

  it('lists by prefix, in order and page by page, as a sorted array would', () => {
    const keys = fc.uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é', '\u{1F600}'), minLength: 1, maxLength: 4 }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(
        keys,
        fc.array(fc.nat()),
        fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 2 }),
        fc.integer({ min: 1, max: 7 }),
        (all, gone, prefix, limit) => {
          const store = new KeyValue();
          for (const [i, key] of all.entries()) store.put(key, String(i), i + 1);
          for (const i of gone) {
            const entry = store.get(all[i % Math.max(1, all.length)] ?? '');
            if (entry !== undefined) store.delete(entry);
          }

          const pages: string[] = [];
          for (let page = store.list(prefix, undefined, limit); page.length > 0; page = store.list(prefix, pages.at(-1), limit)) {
            expect(page.length).to.be.at.most(limit);
            pages.push(...page.map((entry) => entry.key));
          }

          // The default order of strings: by code units.
          expect(pages).to.deep.equal(
            all.filter((key) => store.get(key) !== undefined && key.startsWith(prefix)).toSorted((a, b) => (a < b ? -1 : 1)),
          );
        },
      ),
    );
  });
});
