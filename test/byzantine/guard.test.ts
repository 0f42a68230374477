import { expect } from 'chai';
import { encodeCertificate } from '../../src/byzantine/certificate.ts';
import { checkGuard, type GuardedAction, payloadDigest } from '../../src/byzantine/guard.ts';
import { expired, split } from '../../src/byzantine/witness.ts';
import { nodeHashes, verifySignature } from '../../src/crypto/node.ts';
import { Electorate } from './electorate.ts';

const members = new Electorate(4);
const action: GuardedAction = { kind: 'secret-unlock', subject: 'secret:s', payload: '{"forMs":1000}' };
const trust = { hashes: nodeHashes, verify: verifySignature, configuration: members.configuration };
const codeOf = (bytes: Uint8Array, of: GuardedAction = action): string => {
  const verdict = checkGuard(bytes, of, trust);
  return verdict.ok ? 'permitted' : verdict.flaw.code;
};
const item = ({ subject, payload }: GuardedAction) => ({ subject, payloadDigest: payloadDigest(nodeHashes, payload) });

describe('byzantine: what a certificate permits (protocol design 1.9)', () => {
  it('permits the action that was approved, with ballots or without', () => {
    const proposal = members.proposal({ kind: action.kind, items: [item(action)] });

    expect(codeOf(encodeCertificate(members.certificate({ proposal })))).to.equal('permitted');
    expect(codeOf(encodeCertificate(members.certificate({ proposal, withBallots: true })))).to.equal('permitted');
  });

  it('permits nothing of another kind, about something else or with another payload', () => {
    const bytes = members.approval(action);

    expect(codeOf(bytes, { ...action, kind: 'force' })).to.equal('other_kind');
    expect(codeOf(bytes, { ...action, subject: 'secret:t' })).to.equal('other_subject');
    expect(codeOf(bytes, { ...action, payload: '{"forMs":9999}' })).to.equal('other_payload');
  });

  it('permits nothing that was rejected, split, or not decided in time', () => {
    const outcomeOf = (outcome: number) =>
      codeOf(
        encodeCertificate(
          members.certificate({ outcome: [outcome], proposal: members.proposal({ kind: action.kind, items: [item(action)] }) }),
        ),
      );

    expect([0, 1, split, expired].map(outcomeOf)).to.deep.equal(['permitted', 'not_approved', 'not_approved', 'not_approved']);
  });

  it('looks for the option by its name, wherever it stands', () => {
    const proposal = members.proposal({ kind: action.kind, items: [item(action)], options: ['abandon', 'approve'] });

    expect(codeOf(encodeCertificate(members.certificate({ proposal, outcome: [0] })))).to.equal('not_approved');
    expect(codeOf(encodeCertificate(members.certificate({ proposal, outcome: [1] })))).to.equal('permitted');
  });

  it('permits an item of a bundle, and none that is there a second time and was refused', () => {
    const proposal = members.proposal({ kind: action.kind, items: [item({ ...action, subject: 'x' }), item(action), item(action)] });

    expect(codeOf(encodeCertificate(members.certificate({ proposal, outcome: [1, 0, 0] })))).to.equal('permitted');
    expect(codeOf(encodeCertificate(members.certificate({ proposal, outcome: [0, 0, 1] })))).to.equal('not_approved');
  });

  it('permits nothing by fewer than a quorum, by members of another epoch or cluster, or by bytes that are none', () => {
    const proposal = members.proposal({ kind: action.kind, items: [item(action)] });

    expect(codeOf(encodeCertificate(members.certificate({ proposal, signers: 2 })))).to.equal('quorum_short');
    expect(codeOf(new Electorate(4, { epoch: 1 }).approval(action))).to.equal('wrong_epoch');
    expect(codeOf(new Electorate(4, { cluster: 'cluster-b' }).approval(action))).to.equal('wrong_cluster');
    expect(codeOf(new Electorate(5).approval(action))).to.equal('wrong_configuration');
    expect(codeOf(new Uint8Array(3))).to.equal('malformed');
  });
});
