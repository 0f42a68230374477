import { expect } from 'chai';
import * as fc from 'fast-check';
import { type NodeId, nodeId } from '../../src/core/ids.ts';
import { majority } from '../../src/core/quorum.ts';
import type { Configuration } from '../../src/raft/messages.ts';
import { jointReached, jointVote, majorityReached, majorityVote } from '../../src/raft/quorum.ts';

const ids = (count: number): NodeId[] => Array.from({ length: count }, (_, i) => nodeId(`n${i + 1}`));
const joint = (voters: readonly NodeId[], outgoing: readonly NodeId[]): Configuration => ({
  voters,
  outgoing,
  learners: [],
  learnersNext: [],
  autoLeave: false,
});
const numberOf = (id: NodeId): number => Number(id.slice(1)) - 1;

/** `y`, `n` and `_`: granted, refused, not answered, from n1 on. */
const answers =
  (letters: string) =>
  (id: NodeId): boolean | undefined => {
    const letter = letters[numberOf(id)];
    return letter === 'y' ? true : letter === 'n' ? false : undefined;
  };

describe('raft: quorums (§5.2, §5.3)', () => {
  it('a majority is the smallest number of which any two groups overlap', () => {
    expect([1, 2, 3, 4, 5, 6, 7].map(majority)).to.deep.equal([1, 2, 2, 3, 3, 4, 4]);
  });

  const reached: readonly (readonly [number[], number])[] = [
    [[], Number.POSITIVE_INFINITY],
    [[12], 12],
    [[12, 0], 0],
    [[12, 10], 10],
    [[12, 10, 0], 10],
    [[12, 12, 0], 12],
    [[1, 2, 3], 2],
    [[9, 8, 7, 1], 7],
    [[101, 103, 104, 0], 101],
    [[101, 104, 103, 103, 0], 103],
    [[5, 5, 5, 5, 5], 5],
  ];
  for (const [match, expected] of reached) {
    it(`a majority of [${match.join(' ')}] has reached ${expected}`, () => {
      expect(majorityReached(ids(match.length), (id) => match[numberOf(id)] ?? 0)).to.equal(expected);
    });
  }

  const votes: readonly (readonly [string, string])[] = [
    ['', 'won'],
    ['_', 'pending'],
    ['n', 'lost'],
    ['y', 'won'],
    ['y_', 'pending'],
    ['n_', 'lost'],
    ['yy', 'won'],
    ['yn', 'lost'],
    ['y__', 'pending'],
    ['yn_', 'pending'],
    ['yy_', 'won'],
    ['nn_', 'lost'],
    ['yyn', 'won'],
    ['yynn', 'lost'],
    ['yyn_', 'pending'],
    ['yyy_', 'won'],
    ['ynnn_', 'lost'],
    ['yynn_', 'pending'],
    ['yyynn', 'won'],
  ];
  for (const [letters, result] of votes) {
    it(`the vote "${letters}" is ${result}`, () => {
      expect(majorityVote(ids(letters.length), answers(letters))).to.equal(result);
    });
  }
});

describe('raft: joint quorums (§6)', () => {
  const [n1, n2, n3, n4, n5, n6] = ids(6) as [NodeId, NodeId, NodeId, NodeId, NodeId, NodeId];

  const table: readonly (readonly [string, Configuration, string, string])[] = [
    ['both halves agree', joint([n1, n2, n3], [n4, n5, n6]), 'yy_yy_', 'won'],
    ['only the incoming half agrees', joint([n1, n2, n3], [n4, n5, n6]), 'yyy___', 'pending'],
    ['only the outgoing half agrees', joint([n1, n2, n3], [n4, n5, n6]), '___yyy', 'pending'],
    ['one half refuses', joint([n1, n2, n3], [n4, n5, n6]), 'yyynn_', 'lost'],
    ['the halves overlap in too few', joint([n1, n2, n3], [n3, n4, n5]), 'y_y__', 'pending'],
    ['a shared voter counts in both halves', joint([n1, n2, n3], [n3, n4, n5]), 'y_yy_', 'won'],
    ['a vote comes from outside', joint([n1, n2, n3], []), 'y__yyy', 'pending'],
    ['nobody votes at all', joint([], []), 'yyy', 'lost'],
  ];
  for (const [what, configuration, letters, result] of table) {
    it(`an election in which ${what} is ${result}`, () => {
      expect(jointVote(configuration, answers(letters))).to.equal(result);
    });
  }

  it('commits what both majorities have reached', () => {
    const match = [9, 9, 9, 4, 4, 0];

    expect(jointReached(joint([n1, n2, n3], [n4, n5, n6]), (id) => match[numberOf(id)] ?? 0)).to.equal(4);
    expect(jointReached(joint([n1, n2, n3], []), (id) => match[numberOf(id)] ?? 0)).to.equal(9);
    expect(jointReached(joint([], []), () => 9)).to.equal(0);
  });

  const group = fc.uniqueArray(fc.nat(6), { maxLength: 7 }).map((numbers) => numbers.map((n) => nodeId(`n${n + 1}`)));

  it('reaches exactly what a majority of each half has, whatever the numbers', () => {
    fc.assert(
      fc.property(group, group, fc.array(fc.nat(20), { minLength: 7, maxLength: 7 }), (voters, outgoing, match) => {
        const at = (id: NodeId): number => match[numberOf(id)] ?? 0;
        const hold = (half: readonly NodeId[], index: number): boolean =>
          half.length === 0 || half.filter((id) => at(id) >= index).length > half.length / 2;
        const isHeld = (index: number): boolean => hold(voters, index) && hold(outgoing, index);

        const index = jointReached(joint(voters, outgoing), at);

        if (voters.length + outgoing.length === 0) expect(index).to.equal(0);
        else expect([isHeld(index), isHeld(index + 1)]).to.deep.equal([true, false]);
      }),
    );
  });

  it('decides a vote exactly when no outstanding answer can turn it', () => {
    fc.assert(
      fc.property(
        group.filter((voters) => voters.length > 0),
        group,
        fc.array(fc.constantFrom('y', 'n', '_'), { minLength: 7, maxLength: 7 }),
        (voters, outgoing, letters) => {
          const given = letters.join('');
          const wins = (all: string): boolean =>
            [voters, outgoing].every(
              (half) => half.length === 0 || half.filter((id) => answers(all)(id) === true).length > half.length / 2,
            );
          const atBest = wins(given.replaceAll('_', 'y'));
          const atWorst = wins(given.replaceAll('_', 'n'));

          expect(jointVote(joint(voters, outgoing), answers(given))).to.equal(atWorst ? 'won' : atBest ? 'pending' : 'lost');
        },
      ),
    );
  });
});
