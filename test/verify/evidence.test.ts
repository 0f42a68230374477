import { expect } from 'chai';
import { encodeConfiguration } from '../../src/byzantine/encoding.ts';
import { nextConfiguration, successionAction } from '../../src/byzantine/epoch-chain.ts';
import type { Evidence } from '../../src/byzantine/evidence.ts';
import { publicKeyOf } from '../../src/byzantine/peer-id.ts';
import { defined } from '../../src/core/assert.ts';
import { nodeHashes } from '../../src/crypto/node.ts';
import { evidenceDocument } from '../../src/verify/evidence-document.ts';
import { verifyEvidence } from '../../src/verify/index.ts';
import { Electorate, fixedSeeds } from '../byzantine/electorate.ts';
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
  verifyEvidence(JSON.stringify({ ...evidenceDocument({ epoch: 0, evidence }, electorate.configuration), ...changes }), genesis);
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

  it('proves what a member of a later epoch did by the chain that leads there, and nothing without', () => {
    const before = new Electorate(4, { seeds: fixedSeeds(5).slice(0, 4) });
    const rules = { hashes: nodeHashes, keyOf: publicKeyOf };
    const voters = new Electorate(5).configuration.members.map(({ nodeId }) => nodeId);
    const configuration = defined(nextConfiguration(rules, before.configuration, voters), 'they have keys');
    const after = new Electorate(5, { seeds: fixedSeeds(5), configuration });
    const certificate = Buffer.from(before.approval(successionAction(before.configuration, configuration))).toString('base64');
    const links = [{ configuration: Buffer.from(encodeConfiguration(configuration)).toString('base64'), certificate }];
    const later = after.proposal();
    const [first, second] = [after.ballot(4, later, [0]), after.ballot(4, later, [1])];
    const evidence: Evidence = { kind: 'double_ballot', proposal: later.id, member: 4, first, second };
    const file = JSON.stringify(evidenceDocument({ epoch: 1, evidence }, configuration));
    const reason = (known?: Parameters<typeof verifyEvidence>[2]) => {
      const verdict = verifyEvidence(file, before.genesis, known);
      return verdict.proven ? verdict.document.node : verdict.reason;
    };

    expect(reason({ chain: JSON.stringify({ links }) })).to.equal(configuration.members[4]?.nodeId);
    expect(reason()).to.equal('wrong_epoch');
    expect(reason({ chain: JSON.stringify({ links: [{ ...links[0], certificate: null }] }) })).to.equal('bad_chain');
  });

  it('is malformed when it is anything else, however long', () => {
    for (const text of ['', '[]', 'null', '{"evidence":7}', '{"evidence":"AAAA"}', `{"evidence":"${'A'.repeat(100_000)}"}`])
      expect(verifyEvidence(text, electorate.genesis)).to.include({ proven: false, reason: 'malformed' });
    expect(() => verifyEvidence('{}', '{}')).to.throw(RangeError);
  });
});
