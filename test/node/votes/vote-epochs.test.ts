import { expect } from 'chai';
import type { EpochConfiguration } from '../../../src/byzantine/epoch.ts';
import { nextConfiguration, successionAction } from '../../../src/byzantine/epoch-chain.ts';
import type { GuardedAction } from '../../../src/byzantine/guard.ts';
import { publicKeyOf } from '../../../src/byzantine/peer-id.ts';
import { defined } from '../../../src/core/assert.ts';
import type { LogIndex } from '../../../src/core/ids.ts';
import { createAgreementKey, nodeHashes, verifySignature } from '../../../src/crypto/node.ts';
import { VoteEpochs } from '../../../src/node/votes/vote-epochs.ts';
import type { VoteChange, VoteRecord } from '../../../src/storage/vote-store.ts';
import { Electorate } from '../../byzantine/electorate.ts';
import { VoteNetwork } from './vote-network.ts';

const founding = new Electorate(4);
const next: EpochConfiguration = { ...founding.configuration, epoch: 1 };

/** One node's votes through epochs, with a disk that keeps what is saved. */
class OneNode {
  readonly kept = new Map<string, VoteRecord>();
  place: { configuration: EpochConfiguration; from: LogIndex } = { configuration: founding.configuration, from: 0 };
  isRejoining = false;
  commitIndex = 0;
  #jobs: (() => void)[] = [];
  epochs: VoteEpochs;

  constructor({ isRejoining = false } = {}) {
    this.isRejoining = isRejoining;
    this.epochs = this.#start();
    this.settle();
  }

  restart(): void {
    this.epochs.stop();
    this.#jobs = [];
    this.epochs = this.#start();
    this.settle();
  }

  enter(configuration: EpochConfiguration, from: LogIndex): void {
    this.place = { configuration, from };
    this.epochs.follow();
    this.settle();
  }

  settle(): void {
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) job();
  }

  /** Opens a vote: the node alone has no quorum, so that it is refused; it says so only if it votes at all. */
  get votes() {
    return this.epochs.current;
  }

  #start(): VoteEpochs {
    const [self] = founding.configuration.members;
    if (self === undefined) throw new Error('there are members');
    return new VoteEpochs(
      {
        self: self.nodeId,
        autoApprove: [],
        current: () => this.place,
        configurationOf: (epoch) => [founding.configuration, next][epoch],
        isRejoining: () => this.isRejoining,
        commitIndex: () => this.commitIndex,
        votes: {
          send() {},
          store: { saveVotes: (changes, done) => this.#save(changes, done) },
          clock: { monotonicMs: () => 1, unixMs: () => 1_790_000_000_000 },
          logger: { debug() {}, info() {}, warn() {}, error() {} },
          hashes: nodeHashes,
          verify: verifySignature,
          sign: founding.keyOf(0).sign,
          createKey: createAgreementKey,
          isReachable: () => true,
          onNews() {},
          defer: (job) => this.#jobs.push(job),
          onFatal: (error) => {
            throw error;
          },
        },
      },
      [...this.kept.values()],
    );
  }

  #save(changes: readonly VoteChange[], done: (error?: Error) => void): void {
    this.#jobs.push(() => {
      for (const { key, value } of changes) {
        const name = Buffer.from(key).toString('hex');
        if (value === undefined) this.kept.delete(name);
        else this.kept.set(name, { key, value });
      }
      done();
    });
  }

  /** What the disk says of its right to vote. */
  get mayVote(): boolean {
    const boot = [...this.kept.values()].find(({ key }) => key[0] === 'b'.charCodeAt(0));
    return (JSON.parse(Buffer.from(boot?.value ?? []).toString()) as { mayVote: boolean }).mayVote;
  }
}

describe('node: votes from one epoch to the next (protocol design 1.8)', () => {
  it('goes over to the next epoch, and never back: after a restart it waits for its log', () => {
    const node = new OneNode();

    node.enter(next, 10);
    const after = node.votes?.configuration.epoch;
    node.place = { configuration: founding.configuration, from: 0 };
    node.restart();
    const behind = node.votes;
    node.enter(next, 10);

    expect(after).to.equal(1);
    expect(behind).to.equal(undefined);
    expect(node.votes?.configuration.epoch).to.equal(1);
  });

  it('who lost its disk votes again only in an epoch that began after it was taken in', () => {
    for (const [from, mayVote] of [
      [100, false],
      [101, true],
    ] as const) {
      const node = new OneNode({ isRejoining: true });
      const lost = node.mayVote;
      node.isRejoining = false;
      node.commitIndex = 100;
      node.epochs.follow();
      node.settle();

      node.enter(next, from);

      expect(lost).to.equal(false);
      expect(node.mayVote, `from ${from}`).to.equal(mayVote);
    }
  });

  it('who lost its disk does not vote in an epoch that it comes to on the way back, also after another restart', () => {
    const node = new OneNode({ isRejoining: true });
    node.restart();

    node.enter(next, 50);

    expect(node.mayVote).to.equal(false);
  });

  it('takes no part in an epoch of which it is no member', () => {
    const node = new OneNode();

    node.enter({ ...next, members: next.members.slice(1) }, 10);

    expect(node.votes).to.equal(undefined);
  });
});

describe('node: changes of the members that are voted on', () => {
  const change = { kind: 'membership', subject: 'epoch:1' };

  it('a member approves one in an epoch; another only once that has failed', () => {
    const network = new VoteNetwork(4);
    const [first, second] = [network.begin(0, change), network.begin(1, { ...change, subject: 'epoch:1 ' })];
    network.castAll([0], first, 'approve');

    const both = network.cast(0, second, 'approve');
    const against = network.cast(1, second, 'reject');
    network.castAll([1, 2, 3], first, 'reject');
    network.pass(100);
    network.castAll([0], second, 'approve');

    expect(both.failure?.code).to.equal('wrong_state');
    expect(against.failure).to.equal(undefined);
    expect(network.view(0, first)?.outcome).to.equal('reject');
    expect(network.view(0, second)?.ballots.filter(({ choice }) => choice === 'approve')).to.have.length(1);
  });

  it('approves no second one by policy either, nor after the first was approved', () => {
    const network = new VoteNetwork(4, { autoApprove: ['membership'] });

    const first = network.begin(0, asked(adding(5)));
    network.pass(100);
    const second = network.begin(1, asked(adding(6)));
    network.pass(100);

    expect(network.view(2, first)?.outcome).to.equal('approve');
    expect(network.view(2, second)).to.include({ state: 'open' });
    expect(network.cast(3, second, 'approve').failure?.code).to.equal('wrong_state');
  });

  it('two votes on one change are both approved: leaders that follow each other may both have asked', () => {
    const network = new VoteNetwork(4, { autoApprove: ['membership'] });
    const [one, two] = [network.open(0, asked(adding(5))), network.open(1, asked(adding(5)))];
    network.settle();
    network.pass(100);

    const late = network.begin(2, asked(adding(5)));
    network.pass(100);

    for (const id of [one.value ?? '', two.value ?? '', late]) expect(network.view(3, id)?.outcome).to.equal('approve');
  });

  it('approves by policy only what would begin a next epoch', () => {
    const network = new VoteNetwork(4, { autoApprove: ['*'] });
    const action = adding(5);
    const bad = [
      { payload: '' },
      { payload: '{"members":["a"]}' },
      { payload: ` ${action.payload}` },
      { subject: 'epoch:2' },
      { kind: 'evict' },
    ].map((flaw) => network.begin(0, asked({ ...action, ...flaw })));

    network.pass(100);

    for (const id of bad) expect(network.view(1, id)?.ballots).to.deep.equal([]);
    const good = network.begin(0, asked(action));
    network.pass(100);
    expect(network.view(1, good)?.outcome).to.equal('approve');
  });

  it('approves by policy what it could not approve while another change was open', () => {
    const network = new VoteNetwork(4);
    for (const member of [1, 2, 3]) {
      network.kill(member);
      network.start(member, { autoApprove: ['membership'] });
    }
    network.pass(100);
    const first = network.begin(0, { ...change, timeoutMs: 60_000 });
    network.castAll([1, 2], first, 'approve');
    const second = network.begin(0, asked(adding(5)));
    const barred = network.view(3, second)?.ballots.length;

    network.castAll([0, 3], first, 'reject');
    network.pass(100);

    expect(barred).to.equal(1);
    expect(network.view(3, first)?.outcome).to.equal('split');
    expect(network.view(3, second)?.outcome).to.equal('approve');
  });
});

const everyKey = new Electorate(6).configuration.members;

/** The change by which the first four are followed by so many. */
function adding(count: number): GuardedAction {
  const { configuration } = founding;
  const newcomers = everyKey.filter(({ nodeId }) => configuration.members.every((member) => member.nodeId !== nodeId));
  const voters = [...configuration.members, ...newcomers.slice(count - 5, count - 4)].map(({ nodeId }) => nodeId);
  return successionAction(
    configuration,
    defined(nextConfiguration({ hashes: nodeHashes, keyOf: publicKeyOf }, configuration, voters), 'they have keys'),
  );
}

const asked = ({ kind, subject, payload }: GuardedAction) => ({ kind, subject, payload: new TextEncoder().encode(payload) });
