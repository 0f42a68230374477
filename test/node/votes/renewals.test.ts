import { expect } from 'chai';
import { someDigest } from '../../byzantine/electorate.ts';
import { digest } from '../../../src/byzantine/digest.ts';
import { Renewals } from '../../../src/node/votes/renewals.ts';
import { VoteNetwork } from './vote-network.ts';

describe('node: votes that their epoch left undecided (protocol design 1.8)', () => {
  it('go on in the next under an id that everybody knows, with ballots of their own', () => {
    const network = new VoteNetwork(5);
    const id = network.begin(0);
    network.castAll([0, 1], id, 'reject');

    network.enter([4]);
    network.pass(1000);
    const views = [0, 1, 2, 3].map((member) => network.view(member, id));
    network.castAll([0, 1, 2], id, 'approve');

    expect(new Set(views.map((view) => view?.id)).size).to.equal(1);
    expect(views[0]?.id).to.be.a('string').and.not.equal(id);
    for (const view of views) expect(view).to.deep.include({ state: 'open', n: 4, minSupport: 3, ballots: [] });
    for (const member of [0, 1, 2, 3]) expect(network.view(member, id)).to.include({ outcome: 'approve', id: views[0]?.id });
    expect(network.view(3, id)?.certificate?.attestation.epoch).to.equal(1);
  });

  it('are approved again by the policies, with their payloads', () => {
    const network = new VoteNetwork(5);
    const payload = new Uint8Array(10_000).fill(7);
    const id = network.begin(0, { kind: 'deploy', payload });
    for (const member of [1, 2, 3]) {
      network.kill(member);
      network.start(member, { autoApprove: ['deploy'] });
    }

    network.enter([4]);
    network.pass(3000);

    expect(network.view(2, id)).to.include({ outcome: 'approve' });
  });

  for (const [when, kill] of [
    ['before its end', (network: VoteNetwork) => network.kill(0)],
    ['while its end is being written', (network: VoteNetwork) => (network.node(0).disk.isSlow = true)],
  ] as const)
    it(`are proposed again by a node that was killed ${when}`, () => {
      const network = new VoteNetwork(5);
      const id = network.begin(0);

      kill(network);
      network.enter([4]);
      network.kill(0);
      network.start(0);
      network.pass(1000);
      network.castAll([0, 1, 2], id, 'approve');

      for (const member of [0, 1, 2, 3]) expect(network.view(member, id)?.outcome, `member ${member}`).to.equal('approve');
      expect(network.view(1, id)?.certificate?.attestation.epoch).to.equal(1);
    });

  it('are known by their first id after several epochs, to who missed some of them too, and after a restart', () => {
    const network = new VoteNetwork(6);
    const id = network.begin(0);

    network.enter([5], [0, 1, 2, 4, 5]);
    network.pass(1000);
    network.enter([4]);
    network.pass(1000);
    network.kill(1);
    network.start(1);
    network.pass(1000);

    const ids = new Set([0, 1, 2, 3].map((member) => network.view(member, id)?.id));
    expect(ids.size).to.equal(1);
    expect([...ids][0])
      .to.be.a('string')
      .and.not.equal(id);
    expect([0, 1, 2, 3].map((member) => network.votes(member).counters.open)).to.deep.equal([1, 1, 1, 1]);
  });

  it('wake who waits for them', () => {
    const network = new VoteNetwork(5);
    const id = network.begin(0);
    const woken: string[] = [];
    network.votes(1).onCertified(id, () => woken.push('by the end of the epoch'));

    network.enter([4]);
    network.votes(1).onCertified(id, () => woken.push('by the certificate'));
    network.pass(1000);
    const before = [...woken];
    network.castAll([0, 1, 2], id, 'approve');

    expect(before).to.deep.equal(['by the end of the epoch']);
    expect(woken).to.deep.equal(['by the end of the epoch', 'by the certificate']);
  });

  it('are void, and said to be, when they cannot go on', () => {
    const network = new VoteNetwork(6);
    const ofLeaver = network.begin(5);
    const change = network.begin(0, { kind: 'membership', subject: 'epoch:1' });
    const other = network.begin(0);

    network.enter([5]);
    network.pass(1000);

    for (const id of [ofLeaver, change]) {
      expect(network.view(1, id)).to.equal(undefined);
      expect(network.votes(1).isVoid(id)).to.equal(true);
      expect(network.cast(1, id, 'approve').failure?.code).to.equal('not_found');
    }
    expect(network.votes(1).isVoid(other)).to.equal(false);
  });

  it('are forgotten from the oldest epoch on when they are ten thousand', () => {
    const idOf = (number: number) => digest(number.toString(16).padStart(64, '0'));
    const stored = Array.from({ length: 10_000 }, (_, i) => ({ id: idOf(i), epoch: 10_000 - i, next: undefined }));
    const renewals = new Renewals(stored);

    const forgotten = renewals.add({ id: someDigest(255), epoch: 10_001, next: undefined });

    expect(forgotten).to.equal(idOf(9999));
    expect(renewals.latest(idOf(9999))).to.equal(idOf(9999));
    expect([idOf(0), someDigest(255)].map((id) => renewals.latest(id))).to.deep.equal(['void', 'void']);
  });
});
