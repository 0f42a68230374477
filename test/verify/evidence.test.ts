import { expect } from 'chai';
import type { Evidence } from '../../src/byzantine/evidence.ts';
import { evidenceDocument } from '../../src/verify/evidence-document.ts';
import { verifyEvidence } from '../../src/verify/index.ts';
import { Electorate } from '../byzantine/electorate.ts';
import { statement, x, y } from '../byzantine/support.ts';

const electorate = new Electorate(4);
const proposal = electorate.proposal();
const about = { proposal: proposal.id, member: 2 };
const double: Evidence = {
  kind: 'double_ballot',
  ...about,
  first: electorate.ballot(2, proposal, [0]),
  second: electorate.ballot(2, proposal, [1]),
};
const local: Evidence = {
  kind: 'equivocation_mac',
  ...about,
  before: statement({ current: [x, undefined, undefined, undefined] }),
  after: statement({ revision: 2, current: [y, undefined, undefined, undefined] }),
  why: 'a vote changed',
};
const verify = (evidence: Evidence, changes: object = {}, genesis = electorate.genesis) =>
  verifyEvidence(JSON.stringify({ ...evidenceDocument(evidence, electorate.configuration), ...changes }), genesis);
const reasonOf = (...args: Parameters<typeof verify>) => {
  const verdict = verify(...args);
  return verdict.proven ? undefined : verdict.reason;
};

describe('verify: an evidence file by the genesis alone', () => {
  it('names the member that signed two different things, by the bytes and not by what else the file says', () => {
    const verdict = verify(double, { node: 'somebody else', kind: 'double_expiry' });

    expect(verdict.proven && verdict.document).to.include({
      kind: 'double_ballot',
      node: electorate.configuration.members[2]?.nodeId,
      proposal: proposal.id,
    });
  });

  it('proves nothing by what only its receiver could check', () => {
    expect(reasonOf(local)).to.equal('not_transferable');
  });

  it('proves nothing with a wrong signature, with the same thing twice, or about members of another cluster', () => {
    expect(reasonOf({ ...double, second: { ...double.second, signature: double.first.signature } })).to.equal('not_proven');
    expect(reasonOf({ ...double, second: double.first })).to.equal('not_proven');
    expect(reasonOf(double, {}, new Electorate(4, { seeds: [5, 6, 7, 8].map((i) => new Uint8Array(32).fill(i)) }).genesis)).to.equal(
      'not_proven',
    );
  });

  it('is malformed when it is anything else, however long', () => {
    for (const text of ['', '[]', 'null', '{"evidence":7}', '{"evidence":"AAAA"}', `{"evidence":"${'A'.repeat(100_000)}"}`])
      expect(verifyEvidence(text, electorate.genesis)).to.include({ proven: false, reason: 'malformed' });
    expect(() => verifyEvidence('{}', '{}')).to.throw(RangeError);
  });
});
