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
const numbered = (digits: string): NodeId[] => Array.from(digits, (digit) => nodeId(`n${digit}`));
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
    [[0], 0],
    [[0, 0], 0],
    [[7, 12], 7],
    [[0, 0, 12], 0],
    [[0, 12, 10], 10],
    [[10, 12, 12], 12],
    [[12, 12, 12], 12],
    [[3, 2, 1], 2],
    [[2, 1, 3], 2],
    [[0, 0, 0, 9], 0],
    [[0, 0, 8, 9], 0],
    [[0, 7, 8, 9], 7],
    [[6, 7, 8, 9], 7],
    [[9, 9, 9, 0], 9],
    [[104, 103, 102, 101], 102],
    [[0, 0, 0, 8, 9], 0],
    [[0, 0, 7, 8, 9], 7],
    [[0, 6, 7, 8, 9], 7],
    [[9, 9, 1, 1, 1], 1],
    [[9, 9, 9, 1, 1], 9],
    [[1, 1, 1, 1, 1, 9], 1],
    [[1, 1, 1, 9, 9, 9], 1],
    [[1, 1, 9, 9, 9, 9], 9],
    [[1, 2, 3, 4, 5, 6], 3],
    [[1, 2, 3, 4, 5, 6, 7], 4],
    [[0, 0, 0, 0, 5, 6, 7], 0],
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
    ['__', 'pending'],
    ['n__', 'pending'],
    ['___', 'pending'],
    ['_y_', 'pending'],
    ['_yy', 'won'],
    ['y_y', 'won'],
    ['ynn', 'lost'],
    ['nnn', 'lost'],
    ['yyy', 'won'],
    ['____', 'pending'],
    ['yy__', 'pending'],
    ['nn__', 'lost'],
    ['yn__', 'pending'],
    ['yyyy', 'won'],
    ['yyyn', 'won'],
    ['yy___', 'pending'],
    ['yyy__', 'won'],
    ['nn___', 'pending'],
    ['nnn__', 'lost'],
    ['ynnyy', 'won'],
    ['nnnyy', 'lost'],
    ['yyynnn', 'lost'],
    ['yyynn_', 'pending'],
    ['yyyynn', 'won'],
    ['yyynnn_', 'pending'],
    ['yyyynnn', 'won'],
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

  /** Incoming and outgoing voters by number, answers from n1 on. */
  const votes: readonly (readonly [string, string, string, string])[] = [
    ['1', '1', '_', 'pending'],
    ['1', '1', 'y', 'won'],
    ['1', '1', 'n', 'lost'],
    ['1', '2', 'y_', 'pending'],
    ['1', '2', 'yy', 'won'],
    ['1', '2', 'yn', 'lost'],
    ['1', '2', 'ny', 'lost'],
    ['12', '1', 'y_', 'pending'],
    ['12', '1', 'yy', 'won'],
    ['12', '1', '_n', 'lost'],
    ['12', '34', 'yyy_', 'pending'],
    ['12', '34', 'yyyn', 'lost'],
    ['12', '34', 'yyyy', 'won'],
    ['123', '12', 'y_y', 'pending'],
    ['123', '12', 'yy_', 'won'],
    ['123', '12', 'yny', 'lost'],
    ['123', '124', 'yy__', 'won'],
    ['123', '124', 'y_yy', 'won'],
    ['123', '124', 'y_y_', 'pending'],
    ['123', '124', 'nn__', 'lost'],
    ['1234', '123', 'yy__', 'pending'],
    ['1234', '123', 'yyn_', 'pending'],
    ['1234', '123', 'yynn', 'lost'],
    ['1234', '123', 'yy_y', 'won'],
    ['', '123', 'yyy', 'lost'],
  ];
  for (const [voters, outgoing, letters, result] of votes) {
    it(`the vote "${letters}" among ${voters || 'nobody'} and ${outgoing} is ${result}`, () => {
      expect(jointVote(joint(numbered(voters), numbered(outgoing)), answers(letters))).to.equal(result);
    });
  }

  /** Incoming and outgoing voters by number, what each has from n1 on, what is reached. */
  const commits: readonly (readonly [string, string, number[], number])[] = [
    ['', '', [9, 9, 9], 0],
    ['', '123', [9, 8, 7], 8],
    ['123', '', [9, 8, 7], 8],
    ['123', '', [9, 9, 9, 4, 4, 0], 9],
    ['123', '456', [9, 9, 9, 4, 4, 0], 4],
    ['456', '123', [9, 9, 9, 4, 4, 0], 4],
    ['1', '1', [5], 5],
    ['1', '2', [5, 3], 3],
    ['1', '2', [3, 5], 3],
    ['12', '1', [5, 3], 3],
    ['12', '2', [5, 3], 3],
    ['123', '12', [9, 2, 9], 2],
    ['123', '12', [9, 9, 2], 9],
    ['123', '123', [3, 2, 1], 2],
    ['123', '345', [9, 9, 1, 1, 1], 1],
    ['123', '345', [9, 1, 9, 1, 9], 9],
    ['123', '345', [1, 1, 9, 9, 9], 1],
    ['123', '456', [100, 101, 99, 0, 0, 0], 0],
    ['123', '456', [100, 101, 99, 102, 103, 0], 100],
    ['123', '456', [100, 101, 99, 98, 97, 0], 97],
    ['1234', '123', [9, 9, 0, 0], 0],
    ['1234', '123', [9, 9, 0, 4], 4],
    ['1234', '5', [9, 9, 9, 9, 2], 2],
    ['1234', '12345', [5, 4, 3, 2, 1], 3],
  ];
  for (const [voters, outgoing, match, expected] of commits) {
    it(`[${match.join(' ')}] among ${voters || 'nobody'} and ${outgoing || 'nobody'} has reached ${expected}`, () => {
      const configuration = joint(numbered(voters), numbered(outgoing));

      expect(jointReached(configuration, (id) => match[numberOf(id)] ?? 0)).to.equal(expected);
    });
  }

  describe('of at most four nodes, all of them', () => {
    const halves = Array.from({ length: 16 }, (_, bits) => ids(4).filter((id) => ((bits >> numberOf(id)) & 1) === 1));
    const pairs = halves.flatMap((voters) => halves.map((outgoing) => joint(voters, outgoing)));
    /** All words of four of the three. */
    const words = <T>(of: readonly [T, T, T]): T[][] =>
      Array.from({ length: 81 }, (_, code) => [1, 3, 9, 27].map((place) => of[Math.floor(code / place) % 3] ?? of[0]));
    const isMajority = (group: readonly NodeId[], of: readonly NodeId[]): boolean =>
      of.length === 0 || of.filter((id) => group.includes(id)).length * 2 > of.length;
    /** The definition itself: some group of nodes, all of which agree, holds a majority of each half. */
    const isAgreed = ({ voters, outgoing }: Configuration, agrees: (id: NodeId) => boolean): boolean =>
      halves.some((group) => group.every(agrees) && isMajority(group, voters) && isMajority(group, outgoing));

    it('commit the largest index that some group with both majorities holds', () => {
      const wrong = pairs.flatMap((configuration) =>
        words([0, 1, 2]).filter((match) => {
          const at = (id: NodeId): number => match[numberOf(id)] ?? 0;
          const largest = [2, 1].find((index) => isAgreed(configuration, (id) => at(id) >= index)) ?? 0;
          const isNobody = configuration.voters.length + configuration.outgoing.length === 0;
          return jointReached(configuration, at) !== (isNobody ? 0 : largest);
        }),
      );

      expect(wrong).to.deep.equal([]);
    });

    it('elect when some group with both majorities grants, and give up when none can any more', () => {
      const wrong = pairs.flatMap((configuration) =>
        words(['y', 'n', '_']).filter((letters) => {
          const answer = answers(letters.join(''));
          const isWon = isAgreed(configuration, (id) => answer(id) === true);
          const isOpen = isAgreed(configuration, (id) => answer(id) !== false);
          const expected = configuration.voters.length === 0 || !isOpen ? 'lost' : isWon ? 'won' : 'pending';
          return jointVote(configuration, answer) !== expected;
        }),
      );

      expect(wrong).to.deep.equal([]);
    });
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
