import { expect } from 'chai';
import { isAnnouncement } from '../../../src/byzantine/key-announcement.ts';
import type { Answer } from '../../../src/node/service.ts';
import type { OpenedVote, VoteRequest } from '../../../src/node/votes/vote-service.ts';
import { VoteNetwork } from './vote-network.ts';

const text = (word: string): Uint8Array => new TextEncoder().encode(word);

const request: VoteRequest = {
  kind: 'deploy',
  subject: 'web@1',
  payload: new Uint8Array(0),
  options: ['approve', 'reject'],
  minSupport: undefined,
  timeoutMs: 5000,
  validMs: 60_000,
  mayBundle: true,
};

function openAll(network: VoteNetwork, requests: readonly Partial<VoteRequest>[]): OpenedVote[] {
  const answers: Answer<OpenedVote>[] = [];
  for (const each of requests) network.votes(0).open({ ...request, ...each }, undefined, (answer) => answers.push(answer));
  network.settle();
  return answers.flatMap((answer) => (answer.ok ? [answer.value] : []));
}

describe('node: bundles of votes', () => {
  it('join requests of an approved kind in one vote, whose certificate says of each item what was decided', () => {
    const network = new VoteNetwork(4, { autoApprove: ['deploy'] });
    const requests = Array.from({ length: 5 }, (_, i) => ({ subject: `web@${i}`, payload: text(`payload ${i}`) }));

    const opened = openAll(network, requests);
    const proposal = opened[0]?.proposal ?? '';

    expect(opened.map(({ id }) => id)).to.deep.equal([0, 1, 2, 3, 4].map((item) => `${proposal}.${item}`));
    for (const [item, { id }] of opened.entries())
      expect(network.view(2, id)).to.include({ id, subject: `web@${item}`, item, items: 5, state: 'decided', outcome: 'approve' });
    expect(network.view(3, proposal), 'the first, by the bare id').to.include({ subject: 'web@0' });
    expect(network.view(3, `${proposal}.5`), 'there is no sixth').to.equal(undefined);
    expect(network.view(3, proposal)?.certificate?.proposal.proposal.items).to.have.length(5);
  });

  it('have at most 1,024 items, and only requests on the same terms', () => {
    const network = new VoteNetwork(4, { autoApprove: ['deploy'] });

    const many = openAll(
      network,
      Array.from({ length: 1025 }, () => ({})),
    );
    const differing = openAll(network, [{}, { minSupport: 4 }, { timeoutMs: 6000 }]);

    expect(new Set(many.map(({ proposal }) => proposal)).size).to.equal(2);
    expect(many.filter(({ item }) => item === 1023)).to.have.length(1);
    expect(new Set(differing.map(({ proposal }) => proposal)).size).to.equal(3);
  });

  it('are not made of what people decide on, nor of what a client wants on its own', () => {
    const network = new VoteNetwork(4, { autoApprove: ['deploy'] });

    const human = openAll(network, [{ kind: 'evict' }, { kind: 'evict' }]);
    const alone = openAll(network, [{ mayBundle: false }, { mayBundle: false }]);

    expect(new Set([...human, ...alone].map(({ proposal }) => proposal)).size).to.equal(4);
  });

  it('leave out a request that is refused', () => {
    const network = new VoteNetwork(4, { autoApprove: ['deploy'] });

    const opened = openAll(network, [{}, { payload: new Uint8Array(64 * 1024 + 1) }, {}]);

    expect(opened.map(({ item }) => item)).to.deep.equal([0, 1]);
    expect(new Set(opened.map(({ proposal }) => proposal)).size).to.equal(1);
  });

  it('are not made where another member asks people, nor before all have told their policies', () => {
    const network = new VoteNetwork(4, { autoApprove: ['deploy'], policies: { 2: [] } });
    const unmet = new VoteNetwork(4, { autoApprove: ['deploy'] });
    for (const member of [0, 3]) unmet.kill(member);
    unmet.start(0);
    unmet.settle();

    const human = openAll(network, [{}, {}]);
    const early = openAll(unmet, [{}, {}]);

    for (const opened of [human, early]) expect(opened.map(({ item }) => item)).to.deep.equal([0, 0]);
  });

  it('are made once a policy that was lost on its way has been asked for again', () => {
    const network = new VoteNetwork(4, { autoApprove: ['deploy'] });
    network.kill(0);
    network.onWay = (frame, from, to) => (to === 0 && from === 2 && !isAnnouncement(frame) ? undefined : frame);
    network.start(0);
    network.settle();

    const before = openAll(network, [{}, {}]);
    network.onWay = (frame) => frame;
    network.pass(600);
    const after = openAll(network, [{}, {}]);

    expect(before.map(({ item }) => item)).to.deep.equal([0, 0]);
    expect(after.map(({ item }) => item)).to.deep.equal([0, 1]);
  });

  it('are not made of changes of the members', () => {
    const network = new VoteNetwork(4, { autoApprove: ['*'] });

    const changes = openAll(network, [{ kind: 'membership' }, { kind: 'membership' }]);

    expect(new Set(changes.map(({ proposal }) => proposal)).size).to.equal(2);
  });

  it('gather who comes one by one while an earlier one is being decided', () => {
    const network = new VoteNetwork(4, { autoApprove: ['deploy'] });
    const opened: OpenedVote[] = [];
    const ask = (left: number): void =>
      network.votes(0).open(request, undefined, (answer) => {
        if (answer.ok) opened.push(answer.value);
        // The first is under way.
        for (let i = 0; i < left; i++) ask(0);
      });

    ask(3);
    network.settle();

    expect(opened.map(({ item }) => item)).to.deep.equal([0, 0, 1, 2]);
    for (const { id } of opened) expect(network.view(1, id)).to.include({ state: 'decided' });
  });
});
