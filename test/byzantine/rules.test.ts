import { expect } from 'chai';
import * as fc from 'fast-check';
import { groupSizes } from '../../src/byzantine/quorum.ts';
import type { GroupSizes } from '../../src/byzantine/quorum.ts';
import type { Level, Statements } from '../../src/byzantine/rules.ts';
import {
  acceptedAbove,
  acceptedIn,
  askedAbove,
  claimsUpTo,
  decisions,
  isAccepted,
  isSafe,
  toPropose,
  toVote,
} from '../../src/byzantine/rules.ts';
import type { Phase, Statement } from '../../src/byzantine/statement.ts';
import { inView } from '../../src/byzantine/statement.ts';
import type { Value } from '../../src/byzantine/witness.ts';
import { statement, vote, x, y, z } from './support.ts';

const four = groupSizes(4);
const none = undefined;

/** Protocol design 1.5, word for word: `claims(S,v,r2,k)`. */
function claims(s: Statement, v: Value, r2: number, k: 0 | 1): boolean {
  if (r2 === 0) return true;
  const [fr, pv] = [s.frozen[k], s.previous[k]];
  return fr !== undefined && fr.view >= r2 && (fr.value === v || (pv !== undefined && pv.view >= r2));
}

/** Protocol design 1.5, word for word: `safe(v,r,A,Bk)`. */
function safe(statements: Statements, sizes: GroupSizes, r: number, v: Value, { decisive, claims: k }: Level): boolean {
  if (r === 0) return true;
  const p = statements.flatMap((s) => (s?.view === r ? [s] : []));
  if (p.length < sizes.quorum) return false;
  if (p.filter((s) => s.frozen[decisive] === undefined).length >= sizes.quorum) return true;
  for (let r2 = r - 1; r2 >= 0; r2--) {
    const below = p.filter(({ frozen }) => {
      const last = frozen[decisive];
      return last === undefined || last.view < r2 || (last.view === r2 && last.value === v);
    });
    if (below.length >= sizes.quorum && p.filter((s) => claims(s, v, r2, k)).length >= sizes.honestPart) return true;
  }
  return false;
}

/** Any statement of this view that is well formed. */
const anyStatement = (view: number): fc.Arbitrary<Statement> => {
  const value = fc.constantFrom(x, y, z);
  const last = view === 0 ? fc.constant(none) : fc.option(fc.record({ view: fc.nat(view - 1), value }), { nil: none });
  const before = fc.option(fc.record({ view: fc.nat(view), value }), { nil: none });
  return fc.record({ frozen: fc.tuple(last, last, last, last), previous: fc.tuple(before, before) }).map(({ frozen, previous }) => {
    const kept = ([0, 1] as const).map((phase) => {
      const [fr, pv] = [frozen[phase], previous[phase]];
      return fr !== undefined && pv !== undefined && pv.view < fr.view && pv.value !== fr.value ? pv : undefined;
    });
    return statement({ view, frozen, previous: [kept[0], kept[1]] });
  });
};

describe('byzantine: which values are safe (protocol design 1.5)', () => {
  it('says the same as the design, word for word', () => {
    const settings = fc.constantFrom(4, 5, 6, 7).chain((n) =>
      fc.nat(6).chain((view) =>
        fc.record({
          n: fc.constant(n),
          view: fc.constant(view),
          statements: fc.array(
            fc.option(fc.oneof({ weight: 9, arbitrary: anyStatement(view) }, anyStatement(view + 1)), { nil: none, freq: 9 }),
            {
              minLength: n,
              maxLength: n,
            },
          ),
        }),
      ),
    );
    let safeOnes = 0;
    fc.assert(
      fc.property(settings, ({ n, view, statements }) => {
        for (const level of [toPropose, toVote]) {
          const expected = safe(statements, groupSizes(n), view, x, level);
          if (expected && view > 0) safeOnes++;
          expect(isSafe(statements, groupSizes(n), view, x, level)).to.equal(expected);
        }
      }),
      { numRuns: 3000 },
    );

    expect(safeOnes, 'safe ones among them').to.be.greaterThan(100);
  });

  it('says how far a statement claims a value', () => {
    const s = statement({ view: 9, frozen: [vote(7, x), vote(5, y), none, none], previous: [vote(4, y), none] });
    for (const [value, phase, limit] of [
      [x, 0, 7],
      [y, 0, 4],
      [z, 0, 4],
      [y, 1, 5],
      [x, 1, 0],
    ] as const) {
      expect(claimsUpTo(s, value, phase)).to.equal(limit);
      for (let r2 = 0; r2 < 9; r2++) expect(claims(s, value, r2, phase), `${value} at ${r2}`).to.equal(r2 <= limit);
    }
  });

  it('holds everything safe in view 0', () => expect(isSafe([], four, 0, x, toVote)).to.equal(true));

  it('needs a quorum of statements of exactly this view', () => {
    const here = statement({ view: 2 });

    expect(isSafe([here, here, here, none], four, 2, x, toVote)).to.equal(true);
    expect(isSafe([here, here, none, none], four, 2, x, toVote)).to.equal(false);
    expect(isSafe([here, here, statement({ view: 3 }), statement({ view: 1 })], four, 2, x, toVote)).to.equal(false);
  });

  it('does not look at the height of views: the highest has an answer at once', () => {
    const top = 0xffff_ffff;
    const s = statement({ view: top, frozen: [vote(top - 1, y), vote(top - 1, y), vote(0, x), vote(0, x)] });

    expect(isSafe([s, s, s, s], four, top, y, toVote)).to.equal(true);
    expect(isSafe([s, s, s, s], four, top, z, toVote)).to.equal(false);
  });

  it('keeps to what may have been decided', () => {
    const voter = inView(statement({ current: [x, x, x, x] }), 1);
    const idle = statement({ view: 1 });

    expect(isSafe([voter, voter, idle, none], four, 1, y, toVote)).to.equal(false);
    expect(isSafe([voter, voter, idle, none], four, 1, x, toVote)).to.equal(true);
    expect(isSafe([voter, idle, idle, idle], four, 1, y, toVote), 'one vote can have decided nothing').to.equal(true);
  });
});

describe('byzantine: F+1 claims, not one (protocol design 1.5)', () => {
  // X is decided in view 0 by votes of 0, 1 and 2; member 0 knows and is cut off. Member 3 lies: it leads view 2 and claims a vote for Y in view 1.
  const honest = inView(statement({ current: [x, x, x, x] }), 2);
  const liar = statement({ view: 2, frozen: [vote(1, y), none, none, none], proposed: y });
  const statements: Statements = [none, honest, honest, liar];

  it('one liar does not make honest members vote against a decision', () => {
    expect(decisions([statement({ current: [x, x, x, x] }), honest, honest, none], four)).to.deep.equal([x]);

    expect(isSafe(statements, four, 2, y, toVote)).to.equal(false);
    expect(isSafe(statements, four, 2, x, toVote)).to.equal(true);
  });

  it('with one claim in place of F+1 there would be two decisions', () => {
    const oneClaim: GroupSizes = { ...four, honestPart: 1 };

    expect(isSafe(statements, oneClaim, 2, y, toVote)).to.equal(true);
    expect(safe(statements, oneClaim, 2, y, toVote)).to.equal(true);
    // So members 1 and 2 would vote for Y, with the liar a quorum, in all phases.
    const misled = { ...honest, current: [y, y, y, y] } as const;
    expect(decisions([none, misled, misled, { ...liar, current: [y, y, y, y] }], four)).to.deep.equal([y]);
  });
});

describe('byzantine: counting votes', () => {
  const at = (view: number, phase: Phase, value: Value): Statement => {
    const current = [none, none, none, none].map((_, k) => (k === phase ? value : none));
    return statement({ view, current: [current[0], current[1], current[2], current[3]] });
  };

  it('accepts what a quorum voted for, wherever the voters are now', () => {
    const before = statement({ view: 7, frozen: [vote(6, y), none, none, none], previous: [vote(2, x), none] });
    const frozen = statement({ view: 3, frozen: [vote(2, x), none, none, none] });

    expect(isAccepted([at(2, 0, x), frozen, before, none], four, 2, 0, x)).to.equal(true);
    expect(isAccepted([at(2, 0, x), frozen, none, none], four, 2, 0, x)).to.equal(false);
    expect(isAccepted([at(2, 0, x), frozen, at(2, 0, y), at(3, 0, x)], four, 2, 0, x)).to.equal(false);
    expect(isAccepted([at(2, 1, x), frozen, before, none], four, 2, 0, x)).to.equal(false);
  });

  it('counts one member once, however much it says', () => {
    const all = statement({ view: 3, frozen: [vote(2, x), none, none, none], current: [x, x, x, x] });

    expect(isAccepted([all, all, none, none], four, 3, 0, x)).to.equal(false);
  });

  it('finds the value of a view among others', () => {
    expect(acceptedIn([at(2, 0, y), at(2, 0, x), at(2, 0, x), at(2, 0, x)], four, 2, 0)).to.equal(x);
    expect(acceptedIn([at(2, 0, y), at(2, 0, x), at(2, 0, x), none], four, 2, 0)).to.equal(undefined);
  });

  it('finds the highest view that a quorum has voted in, of phases 1 to 3', () => {
    const higher = [at(4, 2, x), at(4, 2, x), at(4, 2, x), none];

    expect(acceptedAbove(higher, four, 3)).to.equal(4);
    expect(acceptedAbove(higher, four, 4)).to.equal(undefined);
    expect(acceptedAbove([at(4, 3, x), at(4, 3, x), at(4, 3, x), none], four, 3), 'phase 4').to.equal(undefined);
    expect(acceptedAbove([at(4, 2, x), at(4, 2, y), at(4, 2, x), none], four, 3), 'no quorum').to.equal(undefined);
    const gone = higher.map((s) => s && inView(s, 9));
    expect(acceptedAbove(gone, four, 3), 'in frozen votes').to.equal(4);
  });

  it('decides by a quorum of votes of phase 4 in one view, or by F+1 members that say so', () => {
    const told = statement({ decided: x });

    expect(decisions([at(0, 3, x), at(0, 3, x), inView(at(0, 3, x), 2), none], four)).to.deep.equal([x]);
    expect(decisions([at(0, 3, x), at(0, 3, x), at(1, 3, x), none], four), 'of two views').to.deep.equal([]);
    expect(decisions([told, none, none, none], four)).to.deep.equal([]);
    expect(decisions([told, told, none, none], four)).to.deep.equal([x]);
    expect(decisions([told, told, statement({ decided: y }), statement({ decided: y })], four)).to.deep.equal([x, y]);
  });

  it('hears who asks for a view: the n-th highest', () => {
    const asks = [5, 3, 9, 0].map((viewChange) => statement({ viewChange }));

    expect(askedAbove(asks, 2, 0)).to.equal(5);
    expect(askedAbove(asks, 3, 0)).to.equal(3);
    expect(askedAbove(asks, 3, 3)).to.equal(undefined);
    expect(askedAbove([none, none, none, statement({ viewChange: 9 })], 2, 0), 'one liar').to.equal(undefined);
  });
});
