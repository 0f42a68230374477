import { expect } from 'chai';
import type { Answer } from '../../../src/node/service.ts';
import type { OpenedVote, VoteRequest } from '../../../src/node/votes/vote-service.ts';
import { VoteNetwork } from './vote-network.ts';

const text = (word: string): Uint8Array => new TextEncoder().encode(word);

function openAll(network: VoteNetwork, requests: readonly Partial<VoteRequest>[]): OpenedVote[] {
  const answers: Answer<OpenedVote>[] = [];
  for (const request of requests) {
    const whole = {
      kind: 'deploy',
      subject: 'web@1',
      payload: new Uint8Array(0),
      options: ['approve', 'reject'],
      minSupport: undefined,
      timeoutMs: 5000,
      validMs: 60_000,
      mayBundle: true,
      ...request,
    };
    network.votes(0).open(whole, undefined, (answer) => answers.push(answer));
  }
  network.settle();
  return answers.flatMap((answer) => (answer.ok ? [answer.value] : []));
}

describe('node: bundles of votes', () => {
  it('join requests of an approved kind in one vote, whose certificate says of each item what was decided', () => {
    const network = new VoteNetwork(4, { autoApprove: ['deploy'] });
    const requests = Array.from({ length: 5 }, (_, i) => ({ subject: `web@${i}`, payload: text(`payload ${i}`) }));

    const opened = openAll(network, requests);
    const [{ id } = { id: '' }] = opened;

    expect(new Set(opened.map((each) => each.id)).size).to.equal(1);
    expect(opened.map(({ item }) => item)).to.deep.equal([0, 1, 2, 3, 4]);
    for (const item of [0, 4])
      expect(network.view(2, id, item)).to.include({ subject: `web@${item}`, item, items: 5, state: 'decided', outcome: 'approve' });
    expect(network.view(3, id)?.certificate?.proposal.proposal.items).to.have.length(5);
  });

  it('have at most 1,024 items, and only requests on the same terms', () => {
    const network = new VoteNetwork(4, { autoApprove: ['deploy'] });

    const many = openAll(
      network,
      Array.from({ length: 1025 }, () => ({})),
    );
    const differing = openAll(network, [{}, { minSupport: 4 }, { timeoutMs: 6000 }]);

    expect(new Set(many.map(({ id }) => id)).size).to.equal(2);
    expect(many.filter(({ item }) => item === 255)).to.have.length(1);
    expect(new Set(differing.map(({ id }) => id)).size).to.equal(3);
  });

  it('are not made of what people decide on, nor of what a client wants on its own', () => {
    const network = new VoteNetwork(4, { autoApprove: ['deploy'] });

    const human = openAll(network, [{ kind: 'evict' }, { kind: 'evict' }]);
    const alone = openAll(network, [{ mayBundle: false }, { mayBundle: false }]);

    expect(new Set([...human, ...alone].map(({ id }) => id)).size).to.equal(4);
  });

  it('leave out a request that is refused', () => {
    const network = new VoteNetwork(4, { autoApprove: ['deploy'] });

    const opened = openAll(network, [{}, { payload: new Uint8Array(64 * 1024 + 1) }, {}]);

    expect(opened.map(({ item }) => item)).to.deep.equal([0, 1]);
    expect(new Set(opened.map(({ id }) => id)).size).to.equal(1);
  });
});
