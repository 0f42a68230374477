import { expect } from 'chai';
import { abstain } from '../../src/byzantine/ballot.ts';
import { BallotBox } from '../../src/byzantine/ballot-box.ts';
import { faultOf, tallyOf } from '../../src/byzantine/tally.ts';
import type { Witness } from '../../src/byzantine/witness.ts';
import { expired, split } from '../../src/byzantine/witness.ts';
import { motion, Signing } from './support.ts';

const sign = new Signing();
const box = (of = motion): BallotBox => new BallotBox(of, sign);

describe('byzantine: what ballots make', () => {
  const table = [
    ['three for an option', [0, 0, 0], 0],
    ['three for the other', [1, 1, 0, 1], 1],
    ['two for one: more may come', [0, 0, 1], undefined],
    ['two each: none can win', [0, 0, 1, 1], split],
    ['one each and an abstention: none can win', [0, 1, abstain], split],
    ['nothing yet', [], undefined],
    ['nobody wants to', [abstain, abstain], split],
  ] as const;
  for (const [title, choices, outcome] of table) {
    it(title, () => {
      const ballots = choices.map((choice, voter) => sign.by(voter, choice));

      expect(tallyOf(motion, ballots, []).conclusive?.[0]).to.equal(outcome);
    });
  }

  it('an item expires by a quorum, each item by itself', () => {
    const bundle = { ...motion, items: 3 };
    const ballots = [0, 1, 2].map((voter) => sign.by(voter, 0, voter === 0 ? 0 : 1, voter === 0 ? 0 : 1));
    const expiries = [1, 2, 3].map((voter) => sign.expiryBy(voter, bundle, 1, 2));

    expect(tallyOf(bundle, ballots, expiries).afterExpiry).to.deep.equal(Uint8Array.of(0, expired, expired));
    expect(tallyOf(bundle, ballots, expiries.slice(1)).afterExpiry).to.equal(undefined);
    expect(tallyOf(bundle, ballots, [...expiries.slice(1), sign.expiryBy(0, bundle, 1)]).afterExpiry).to.equal(undefined);
  });
});

describe('byzantine: the ballot box', () => {
  it('takes one ballot a voter, and is conclusive when they are', () => {
    const taken = box();

    for (const voter of [0, 1, 2]) {
      expect(taken.conclusive).to.equal(undefined);
      expect(taken.addBallot(sign.by(voter, 1)).type).to.equal('taken');
    }

    expect(taken.conclusive?.outcome).to.deep.equal(Uint8Array.of(1));
    expect(taken.ballotBits).to.deep.equal(Uint8Array.of(0b0111));
    expect(taken.addBallot(sign.by(1, 1)).type).to.equal('ignored');
  });

  it('refuses what its voter has not signed, or what is no ballot', () => {
    const taken = box();

    expect(taken.addBallot(sign.forged(1, 0))).to.include({ type: 'rejected', why: 'ballot not signed by its voter' });
    for (const ballot of [sign.by(1, 2), sign.by(1, 0, 0), sign.by(1), sign.by(4, 0), sign.by(1, 255)]) {
      expect(taken.addBallot(ballot)).to.include({ type: 'rejected', why: 'malformed ballot' });
    }
    expect(taken.ballotBits).to.deep.equal(Uint8Array.of(0));
  });

  it('counts a voter with two ballots for nothing, and shows them', () => {
    const taken = box();
    for (const ballot of [sign.by(0, 0), sign.by(1, 0), sign.by(3, 1)]) taken.addBallot(ballot);

    taken.addBallot(sign.by(3, 0));

    expect(taken.conclusive).to.equal(undefined);
    const evidence = taken.takeEvidence();
    expect(evidence.map(({ kind, member }) => [kind, member])).to.deep.equal([['double_ballot', 3]]);
    expect(taken.takeEvidence()).to.deep.equal([]);
    expect(taken.addBallot(sign.by(3, abstain)).type, 'a third tells nothing new').to.equal('ignored');
    taken.addBallot(sign.by(2, 0));
    expect(taken.conclusive?.ballots.map(({ ballot }) => ballot.voter)).to.deep.equal([0, 1, 2]);
  });

  it('keeps a witness once formed, whatever comes to light', () => {
    const taken = box();
    for (const voter of [0, 1, 3]) taken.addBallot(sign.by(voter, 0));

    taken.addBallot(sign.by(3, 1));

    expect(taken.conclusive?.outcome).to.deep.equal(Uint8Array.of(0));
    expect(taken.openItems).to.equal(undefined);
  });

  it('names the items that are open at the deadline', () => {
    const bundle = { ...motion, items: 3 };
    const taken = box(bundle);
    for (const voter of [0, 1, 2]) taken.addBallot(sign.by(voter, 0, voter === 0 ? 0 : 1, 1));

    expect(taken.openItems).to.deep.equal(Uint8Array.of(0b010));
  });

  it('expires with a quorum of expiries, one a voter', () => {
    const taken = box();
    taken.addBallot(sign.by(0, 0));
    taken.addExpiry(sign.expiryBy(0, motion, 0));
    taken.addExpiry(sign.expiryBy(1, motion, 0));
    expect(taken.afterExpiry).to.equal(undefined);

    taken.addExpiry(sign.expiryBy(2, motion, 0));

    expect(taken.afterExpiry?.outcome).to.deep.equal(Uint8Array.of(expired));
    expect(taken.conclusive).to.equal(undefined);
  });

  it('lets an expiry grow, and shows who signed two of which neither holds the other', () => {
    const bundle = { ...motion, items: 3 };
    const taken = box(bundle);
    for (const voter of [0, 1]) taken.addExpiry(sign.expiryBy(voter, bundle, 0, 1, 2));
    for (const voter of [0, 1, 2]) taken.addBallot(sign.by(voter, 0, 0, voter === 2 ? 1 : 0));
    taken.addExpiry(sign.expiryBy(2, bundle, 0));
    expect(taken.afterExpiry).to.equal(undefined);

    expect(taken.addExpiry(sign.expiryBy(2, bundle, 0, 2)).type).to.equal('taken');
    expect(taken.addExpiry(sign.expiryBy(2, bundle, 2)).type, 'an older one, late').to.equal('ignored');
    expect(taken.afterExpiry?.outcome).to.deep.equal(Uint8Array.of(0, 0, expired));
    expect(taken.hasEvidence).to.equal(false);

    expect(taken.addExpiry(sign.expiryBy(2, bundle, 1, 2)).type).to.equal('taken');
    expect(taken.takeEvidence().map(({ kind, member }) => [kind, member])).to.deep.equal([['double_expiry', 2]]);
  });

  it('opens an item again that rested on a ballot that is one of two', () => {
    const taken = box({ ...motion, items: 2 });
    for (const voter of [0, 1, 3]) taken.addBallot(sign.by(voter, 0, voter === 3 ? abstain : 0));
    expect(taken.openItems).to.deep.equal(Uint8Array.of(0b10));

    taken.addBallot(sign.by(3, 1, 1));

    expect(taken.openItems).to.deep.equal(Uint8Array.of(0b11));
    expect(taken.contents).to.have.length(4);
  });
});

describe('byzantine: witnesses', () => {
  const outcome = Uint8Array.of(0);
  const good: Witness = {
    proposal: motion.proposal,
    value: sign.valueOf(motion.proposal, outcome),
    outcome,
    ballots: [0, 1, 2].map((voter) => sign.by(voter, 0)),
    expiries: [],
  };
  const gone: Witness = {
    ...good,
    value: sign.valueOf(motion.proposal, Uint8Array.of(expired)),
    outcome: Uint8Array.of(expired),
    ballots: [],
    expiries: [0, 1, 2].map((voter) => sign.expiryBy(voter, motion, 0)),
  };

  it('are good for anybody when their ballots show the outcome', () => {
    expect(faultOf(motion, sign, good)).to.equal(undefined);
    expect(faultOf(motion, sign, gone)).to.equal(undefined);
  });

  const [first, second] = [sign.by(0, 0), sign.by(1, 0)];
  const table = [
    ['it is for another proposal', { ...good, proposal: good.value }],
    ['its outcome has not one byte an item', { ...good, outcome: Uint8Array.of(0, 0) }],
    ['it has more ballots than members', { ...good, ballots: [0, 1, 2, 3, 4].map((voter) => sign.by(voter, 0)) }],
    ['a ballot is malformed', { ...good, ballots: [...good.ballots, sign.by(4, 0)] }],
    ['a voter has two ballots in it', { ...good, ballots: [first, second, sign.by(1, 0)] }],
    ['its ballots do not show the outcome of item 0', { ...good, ballots: [first, second, sign.by(2, 1)] }],
    ['its ballots do not show the outcome of item 0', { ...good, ballots: [first, second] }],
    ['its ballots do not show the outcome of item 0', { ...good, outcome: Uint8Array.of(split) }],
    ['its ballots do not show the outcome of item 0', { ...gone, expiries: gone.expiries.slice(1) }],
    ['a voter has two expiries in it', { ...gone, expiries: [...gone.expiries.slice(1), sign.expiryBy(1, motion, 0)] }],
    ['its outcome has another digest', { ...good, value: gone.value }],
    ['a ballot is not signed by its voter', { ...good, ballots: [first, second, sign.forged(2, 0)] }],
    ['an expiry is not signed by its voter', { ...gone, expiries: [...gone.expiries.slice(1), forgedExpiry()] }],
  ] as const;
  for (const [why, witness] of table) {
    it(`are bad when ${why}`, () => {
      expect(faultOf(motion, sign, witness)).to.equal(why);
    });
  }

  function forgedExpiry() {
    return sign.expiry(1, { proposal: motion.proposal, voter: 0, items: Uint8Array.of(1) });
  }
});
