import { expect } from 'chai';
import { invalidField } from '../../src/byzantine/proposal-validity.ts';
import type { Proposal } from '../../src/byzantine/proposal.ts';
import { verifySignature } from '../../src/crypto/node.ts';
import { Electorate } from './electorate.ts';

const electorate = new Electorate(4);
const fieldOf = (changes: Partial<Proposal>) => invalidField(electorate.proposal(changes), electorate.configuration, verifySignature);

describe('byzantine: the validity of a proposal (protocol design 1.4)', () => {
  it('holds for one of this cluster and epoch, by a member', () => {
    expect(fieldOf({})).to.equal(undefined);
    expect(fieldOf({ cluster: 'cluster-b' })).to.equal('cluster');
    expect(fieldOf({ epoch: 1 })).to.equal('epoch');
    const signed = electorate.proposal();
    expect(invalidField({ ...signed, proposal: { ...signed.proposal, proposer: 4 } }, electorate.configuration, verifySignature)).to.equal(
      'proposer',
    );
  });

  it('needs support of at least a quorum, and not of more than all', () => {
    expect([2, 3, 4, 5].map((minSupport) => fieldOf({ minSupport }))).to.deep.equal(['minSupport', undefined, undefined, 'minSupport']);
  });

  it('needs options that ascend by their bytes, no two alike', () => {
    expect(fieldOf({ options: ['a', 'ab', 'b', 'é', '\u{1f600}'] })).to.equal(undefined);
    // By UTF-16 units it would be the other way round.
    expect(fieldOf({ options: ['\uffff', '\u{10000}'] })).to.equal(undefined);
    for (const options of [
      ['b', 'a'],
      ['a', 'a'],
      ['ab', 'a'],
      ['\u{10000}', '\uffff'],
    ])
      expect(fieldOf({ options })).to.equal('options');
  });

  it("needs the proposer's signature over the very proposal", () => {
    const { signature } = electorate.proposal({ proposerSeq: 10 });
    const signed = { ...electorate.proposal(), signature };

    expect(invalidField(signed, electorate.configuration, verifySignature)).to.equal('signature');
  });
});
