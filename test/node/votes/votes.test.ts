import { expect } from 'chai';
import { digest } from '../../../src/byzantine/digest.ts';
import { encodeSignedProposal } from '../../../src/byzantine/encoding.ts';
import { decodeFrame } from '../../../src/byzantine/frame.ts';
import { unpackRecords } from '../../../src/byzantine/records.ts';
import { someDigest } from '../../byzantine/electorate.ts';
import { VoteNetwork } from './vote-network.ts';

const everyone = [0, 1, 2, 3];

describe('node: a Byzantine vote from proposal to certificate', () => {
  it('ends with a certificate at every member, with the ballots, and without waiting for any timer', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0);

    network.castAll(everyone, id, 'approve');

    expect(network.outcomes(id)).to.deep.equal(['approve', 'approve', 'approve', 'approve']);
    expect(network.view(2, id)).to.include({ state: 'decided', n: 4, f: 1, quorum: 3 });
    expect(network.view(2, id)?.ballots.map(({ choice }) => choice)).to.include.members(['approve', 'approve', 'approve']);
    expect(network.view(2, id)?.certificate?.attesters).to.have.length.at.least(3);
  });

  for (const n of [4, 5, 6, 7, 10])
    it(`costs no view change and no timer when one of ${n} members has failed`, () => {
      const network = new VoteNetwork(n);
      let highestView = 0;
      network.onWay = (frame) => {
        for (const record of unpackRecords(decodeFrame(frame, n)?.payload ?? new Uint8Array(0)) ?? [])
          if (record.type === 'statement') highestView = Math.max(highestView, record.statement.view);
        return frame;
      };
      network.kill(n - 1);

      const id = network.begin(0);
      network.castAll([...Array(n - 1).keys()], id, 'approve');

      expect(network.outcomes(id)).to.deep.equal(Array.from({ length: n - 1 }, () => 'approve'));
      expect(highestView).to.equal(0);
    });

  it('agrees that no option won when the ballots are divided', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0);

    network.castAll([0, 1], id, 'approve');
    network.castAll([2, 3], id, 'reject');

    expect(network.outcomes(id)).to.deep.equal(['split', 'split', 'split', 'split']);
    expect(network.view(0, id)?.state).to.equal('no_consensus');
  });

  it('agrees that time is up when too few ballots were cast', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0, { timeoutMs: 1000 });
    network.castAll([0, 1], id, 'approve');

    network.pass(900);
    const early = network.outcomes(id);
    network.pass(3000);

    expect(early).to.deep.equal([undefined, undefined, undefined, undefined]);
    expect(network.outcomes(id)).to.deep.equal(['expired', 'expired', 'expired', 'expired']);
  });

  it('stays open, with no false result, while fewer than a quorum live', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0, { timeoutMs: 1000 });
    network.kill(2);
    network.kill(3);

    network.castAll([0, 1], id, 'approve');
    network.pass(20_000);

    expect(network.view(0, id)).to.include({ state: 'open', outcome: undefined });
  });

  it('decides with a third of the frames lost', () => {
    const network = new VoteNetwork(4);
    let count = 0;
    network.onWay = (frame) => (count++ % 3 === 0 ? undefined : frame);

    const id = network.begin(0);
    network.pass(3000);
    network.castAll(everyone, id, 'reject');
    network.pass(10_000);

    expect(network.outcomes(id)).to.deep.equal(['reject', 'reject', 'reject', 'reject']);
  });

  it('approves by itself the kinds that the policy names, and no others', () => {
    const network = new VoteNetwork(4, { autoApprove: ['deploy'] });

    const deploy = network.begin(0, { kind: 'deploy' });
    const other = network.begin(0, { kind: 'evict' });
    const without = network.begin(0, { kind: 'deploy', options: ['blue', 'green'] });
    network.settle();

    expect(network.outcomes(deploy)).to.deep.equal(['approve', 'approve', 'approve', 'approve']);
    expect(network.view(0, other)?.ballots).to.deep.equal([]);
    expect(network.view(0, without)?.ballots).to.deep.equal([]);
  });
});

describe('node: what others are told of votes', () => {
  it('is that each begins and ends, once, at each member', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0, { kind: 'deploy' });
    network.castAll(everyone, id, 'approve');

    const told = network.events.filter(({ member }) => member === 2);

    expect(told.map(({ vote, type, state, outcome }) => ({ vote, type, state, outcome }))).to.deep.equal([
      { vote: id, type: 'deploy', state: 'open', outcome: undefined },
      { vote: id, type: 'deploy', state: 'decided', outcome: 'approve' },
    ]);
  });

  it('is how many are open, ended, refused and lied about', () => {
    const network = new VoteNetwork(4);
    const decided = network.begin(0);
    const divided = network.begin(0);
    network.begin(0);
    network.castAll(everyone, decided, 'approve');
    network.castAll([0, 1], divided, 'approve');
    network.castAll([2, 3], divided, 'reject');

    expect(network.votes(1).counters).to.deep.equal({ open: 1, decided: 1, noConsensus: 1, framesRefused: 0, recordsRefused: 0, lies: 0 });
  });
});

describe("node: an agent's opinion", () => {
  it('is asked for where it judges the kind and no ballot was given, until there is one', () => {
    const network = new VoteNetwork(4, { autoApprove: ['deploy'] });
    const id = network.begin(0, { kind: 'review', subject: 'patch 7' });
    network.begin(0, { kind: 'evict' });
    network.begin(0, { kind: 'deploy' });
    const questions = () => network.votes(1).questionsFor(['gpu', 'opinion:review', 'opinion:deploy']);

    const before = questions();
    network.castAll([1], id, 'approve');

    expect(before).to.have.length(1);
    expect(before[0]).to.deep.include({ type: 'vote', id, kind: 'review', subject: 'patch 7', options: ['approve', 'reject'] });
    expect(questions()).to.deep.equal([]);
    expect(network.votes(2).questionsFor(['gpu'])).to.deep.equal([]);
  });

  it('is not asked for before what the vote is about is there, nor at a node that must not vote', () => {
    const network = new VoteNetwork(4);
    network.onWay = () => undefined;
    network.begin(0, { kind: 'review', payload: new Uint8Array(9000), timeoutMs: 60_000 });
    network.onWay = (frame) => (frame.length > 9000 ? undefined : frame);
    network.pass(1000);
    const withheld = network.votes(1).questionsFor(['opinion:review']);
    network.onWay = (frame) => frame;
    network.pass(10_000);
    const arrived = network.votes(1).questionsFor(['opinion:review']);

    network.kill(1);
    network.node(1).disk.lose();
    network.start(1, { hasLostStore: true });
    network.pass(10_000);

    expect([withheld.length, arrived.length, network.votes(1).counters.open]).to.deep.equal([0, 1, 1]);
    expect(network.votes(1).questionsFor(['opinion:review'])).to.deep.equal([]);
  });

  it('is asked for at most sixteen times a heartbeat', () => {
    const network = new VoteNetwork(4);
    for (let i = 0; i < 20; i++) network.begin(0, { kind: 'review', subject: `patch ${i}` });

    expect(network.votes(1).questionsFor(['opinion:review'])).to.have.length(16);
  });
});

describe('node: what a member asks of its node', () => {
  it('says no_quorum at once, and sends nothing, when fewer than a quorum can be reached', () => {
    const network = new VoteNetwork(4);
    network.cutOff(2, 3);
    const before = network.framesFrom[0];

    const asked = network.open(0);

    expect(asked.failure).to.deep.include({ code: 'no_quorum', data: { reachable: 2, needed: 3 } });
    network.settle();
    expect(network.framesFrom[0]).to.equal(before);
  });

  it('refuses votes among fewer than four members', () => {
    expect(new VoteNetwork(3).open(0).failure?.code).to.equal('byzantine_unavailable');
  });

  it('refuses what is no proposal, and names the field', () => {
    const network = new VoteNetwork(4);
    const fieldOf = (request: Parameters<VoteNetwork['open']>[1]) => network.open(0, request).failure?.data?.['path'];

    expect(fieldOf({ minSupport: 2 })).to.equal('minSupport');
    expect(fieldOf({ minSupport: 5 })).to.equal('minSupport');
    expect(fieldOf({ options: ['a', 'a'] })).to.equal('options');
    expect(network.open(0, { payload: new Uint8Array(64 * 1024 + 1) }).failure?.code).to.equal('too_large');
  });

  it('opens one vote for a request that is sent again under the same key, and refuses another under it', () => {
    const network = new VoteNetwork(4);

    const [first, atOnce] = [network.open(0, { subject: 'web' }, 'key'), network.open(0, { subject: 'web' }, 'key')];
    const other = network.open(0, { subject: 'other' }, 'other key');
    network.settle();
    const repeated = network.open(0, { subject: 'web' }, 'key');
    const conflict = network.open(0, { subject: 'db' }, 'key');
    network.settle();

    expect([atOnce.value, repeated.value]).to.deep.equal([first.value, first.value]);
    expect(other.value).to.be.a('string').and.not.equal(first.value);
    expect(conflict.failure?.code).to.equal('idempotency_conflict');
    expect(network.votes(0).counters.open).to.equal(2);
  });

  it('remembers the key over a restart, and in the next epoch', () => {
    const network = new VoteNetwork(5);
    const first = network.open(0, { subject: 'web' }, 'key');
    network.settle();

    network.kill(0);
    network.start(0);
    network.settle();
    const restarted = network.open(0, { subject: 'web' }, 'key');
    network.enter([4]);
    const [later, conflict] = [network.open(0, { subject: 'web' }, 'key'), network.open(0, { subject: 'db' }, 'key')];
    network.settle();

    expect([restarted.value, later.value]).to.deep.equal([first.value, first.value]);
    expect(conflict.failure?.code).to.equal('idempotency_conflict');
    expect(network.votes(0).counters.open).to.equal(1);
  });

  it('refuses a second, different ballot for ever, and answers the same one alike', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0);
    network.castAll([1], id, 'approve');

    expect(network.cast(1, id, 'reject').failure).to.deep.include({ code: 'already_voted', detail: 'this node has voted approve' });
    const again = network.cast(1, id, 'approve');
    network.settle();

    expect(again.value).to.equal(true);
    expect(network.view(0, id)?.ballots).to.have.length(1);
  });

  it('refuses ballots of votes that are over or unknown, and choices that are no option', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0);

    expect(network.cast(1, id, 'maybe').failure?.code).to.equal('invalid_argument');
    expect(network.cast(1, '0'.repeat(64), 'approve').failure?.code).to.equal('not_found');
    expect(network.cast(1, 'nonsense', 'approve').failure?.code).to.equal('not_found');
    network.castAll(everyone, id, 'approve');

    expect(network.cast(1, id, 'approve').failure?.code).to.equal('wrong_state');
  });

  it('is overloaded by its own 257th open vote, while others may still open theirs', () => {
    const network = new VoteNetwork(4);
    for (let i = 0; i < 256; i++) network.begin(0, { subject: `vote ${i}` });

    expect(network.open(0).failure?.code).to.equal('overloaded');
    expect(network.open(1).failure).to.equal(undefined);
  });

  it('calls back who waits for a certificate once it is durable, and nobody who has given up', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0);
    const called: string[] = [];
    network.votes(1).onCertified(id, () => called.push('waits'));
    const giveUp = network.votes(1).onCertified(id, () => called.push('has given up'));

    giveUp();
    network.castAll(everyone, id, 'approve');
    network.votes(1).onCertified(id, () => called.push('comes late'));
    network.settle();

    expect(called).to.deep.equal(['waits', 'comes late']);
  });
});

describe('node: payloads of votes, by their digest', () => {
  const payload = (bytes: number) => new Uint8Array(bytes).fill(7);

  for (const bytes of [1, 4096, 4097, 64 * 1024])
    it(`brings one of ${bytes} bytes to every member before it may vote`, () => {
      const network = new VoteNetwork(4, { autoApprove: ['deploy'] });

      const id = network.begin(0, { kind: 'deploy', payload: payload(bytes) });
      network.pass(2000);

      expect(network.outcomes(id)).to.deep.equal(['approve', 'approve', 'approve', 'approve']);
    });

  it('lets nobody vote on what is not there, and gets it from whoever has it', () => {
    const network = new VoteNetwork(4);
    const holds = new Set([0]);
    let isWithheld = true;
    network.onWay = (frame, from, to) => {
      const isBlob = (unpackRecords(decodeFrame(frame, 4)?.payload ?? frame) ?? []).some(({ type }) => type === 'blob');
      // The proposer gives the payload to member 1 alone.
      if (isBlob && (isWithheld || (from === 0 && to !== 1))) return undefined;
      if (isBlob) holds.add(to);
      return frame;
    };
    const id = network.begin(0, { payload: payload(10_000), timeoutMs: 60_000 });
    network.pass(500);

    expect(network.cast(1, id, 'approve').failure?.code).to.equal('unavailable');
    isWithheld = false;
    network.pass(20_000);

    expect([...holds]).to.have.members(everyone);
    expect(network.cast(3, id, 'approve').failure).to.equal(undefined);
    expect(network.view(3, id)?.payload).to.deep.equal(payload(10_000));
  });

  it('still gives a payload to others when one of two votes that share it is over', () => {
    const network = new VoteNetwork(4);
    const shared = { payload: payload(10_000) };
    const first = network.begin(0, shared);
    network.pass(2000);
    network.cutOff(3);
    const second = network.begin(0, shared);
    network.castAll([0, 1, 2], first, 'approve');
    network.heal();
    network.pass(5000);

    expect(network.view(0, first)?.state).to.equal('decided');
    expect(network.view(3, second)?.payload).to.deep.equal(shared.payload);
  });
});

describe('node: votes and the disk', () => {
  it('sends and answers nothing before it is durable', () => {
    const network = new VoteNetwork(4);
    const before = network.framesFrom[0];
    network.node(0).disk.isSlow = true;

    const asked = network.open(0);
    network.settle();
    const meanwhile = { value: asked.value, frames: network.framesFrom[0] };
    network.node(0).disk.release();
    network.settle();

    expect(meanwhile).to.deep.equal({ value: undefined, frames: before });
    expect(asked.value).to.be.a('string');
    expect(network.framesFrom[0]).to.be.greaterThan(before ?? 0);
  });

  it('keeps a ballot over kill -9 once it has left, and is free while it has not', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0);
    network.castAll([1], id, 'approve');
    network.node(2).disk.isSlow = true;
    network.cast(2, id, 'approve');
    network.settle();

    for (const member of [1, 2]) {
      network.kill(member);
      network.start(member);
    }
    network.settle();

    expect(network.cast(1, id, 'reject').failure?.code).to.equal('already_voted');
    expect(network.cast(2, id, 'reject').failure).to.equal(undefined);
    network.settle();
    expect(network.view(0, id)?.ballots.map(({ choice }) => choice)).to.deep.equal(['approve', 'reject']);
  });

  it('goes on with open votes when all members were killed', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0, { payload: new Uint8Array(9000).fill(1), timeoutMs: 60_000 });
    network.pass(2000);
    network.castAll([0, 1], id, 'approve');

    for (const member of everyone) network.kill(member);
    for (const member of everyone) network.start(member);
    network.settle();
    network.castAll([2], id, 'approve');
    network.pass(2000);

    expect(network.outcomes(id)).to.deep.equal(['approve', 'approve', 'approve', 'approve']);
  });

  it('keeps certificates over a restart', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0);
    network.castAll(everyone, id, 'approve');
    const before = network.view(1, id);

    network.kill(1);
    network.start(1);

    expect(network.view(1, id)).to.deep.equal(before);
    expect(network.votes(1).counters.open).to.equal(0);
  });

  it('never votes again in the epoch after its store was lost, also after the next restart, and still learns what is decided', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0);
    network.castAll([3], id, 'approve');

    network.kill(3);
    network.node(3).disk.lose();
    network.start(3, { hasLostStore: true, autoApprove: ['*'] });
    network.settle();
    network.kill(3);
    network.start(3, { autoApprove: ['*'] });
    network.pass(1000);
    const refused = network.cast(3, id, 'reject');
    network.castAll([0, 1, 2], id, 'approve');
    network.pass(5000);

    expect(refused.failure?.code).to.equal('unavailable');
    expect(network.outcomes(id)).to.deep.equal(['approve', 'approve', 'approve', 'approve']);
    expect(network.votes(0).evidence()).to.deep.equal([]);
  });

  it('tells nobody its key before its start is counted: killed before that it has another key of the same number', () => {
    const network = new VoteNetwork(4);
    network.kill(2);
    network.kill(3);
    network.node(3).disk.isSlow = true;
    network.start(3);
    network.pass(100);
    network.kill(3);

    network.start(3);
    network.pass(1000);
    const id = network.begin(0);
    network.castAll([0, 1, 3], id, 'approve');

    expect(network.outcomes(id)).to.deep.equal(['approve', 'approve', 'approve']);
  });

  it('stops the node when a write fails', () => {
    const network = new VoteNetwork(4);
    network.node(0).disk.fails = new Error('the disk is gone');

    const asked = network.open(0);
    network.settle();

    expect(network.fatal.map(({ message }) => message)).to.deep.equal(['the disk is gone']);
    expect(asked).to.deep.equal({});
  });
});

describe('node: members that were away', () => {
  it('get the certificate of a vote that they knew', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0);
    network.cutOff(3);
    network.castAll([0, 1, 2], id, 'approve');

    network.heal();
    network.pass(3000);

    expect(network.view(3, id)?.outcome).to.equal('approve');
  });

  it('get the certificate of a vote that they know to be decided when they want what shows it', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0);
    const late = network.corrupt(3);
    network.castAll([0, 1, 2], id, 'approve');
    const answers: string[] = [];
    network.onWay = (frame, from) => {
      if (from === 0) answers.push(...(unpackRecords(decodeFrame(frame, 4)?.payload ?? frame) ?? []).map(({ type }) => type));
      return frame;
    };

    late.say(0, { type: 'want', proposal: digest(id), value: someDigest(1) });
    network.settle();

    expect(answers).to.deep.equal(['certificate']);
  });

  it('get the certificate of a vote in which all the rest was lost once they had given up a view', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0, { timeoutMs: 60_000 });
    // Member 3 hears all the others, who hear only it.
    network.onWay = (frame, from, to) => (from === 3 || to === 3 ? frame : undefined);
    network.castAll(everyone, id, 'approve');
    network.pass(5000);
    network.onWay = (frame, _from, to) => (to === 3 ? undefined : frame);
    network.pass(3000);
    const before = network.outcomes(id);

    network.onWay = (frame) => frame;
    network.pass(3000);

    expect(before).to.deep.equal(['approve', 'approve', 'approve', undefined]);
    expect(network.view(3, id)?.outcome).to.equal('approve');
  });

  it('find a vote that began and ended without them when somebody asks for it', () => {
    const network = new VoteNetwork(4);
    network.cutOff(3);
    const id = network.begin(0);
    network.castAll([0, 1, 2], id, 'approve');
    network.heal();
    network.pass(3000);
    const before = network.view(3, id);

    network.votes(3).seek(id);
    network.settle();

    expect(before).to.equal(undefined);
    expect(network.view(3, id)?.outcome).to.equal('approve');
  });

  it('hear of a vote that began without them and is open', () => {
    const network = new VoteNetwork(4);
    network.cutOff(3);
    const id = network.begin(0);
    network.heal();
    network.settle();

    network.castAll([0, 1, 3], id, 'reject');
    network.pass(1000);

    expect(network.outcomes(id)).to.deep.equal(['reject', 'reject', 'reject', 'reject']);
  });

  it('hear of a vote of which nothing came through at first, though nobody has an opinion yet', () => {
    const network = new VoteNetwork(4);
    network.onWay = () => undefined;
    const id = network.begin(0);
    network.onWay = (frame) => frame;

    network.pass(200);

    expect([1, 2, 3].map((member) => network.view(member, id)?.state)).to.deep.equal(['open', 'open', 'open']);
  });
});

describe('node: frames of votes', () => {
  it('go on under new keys after a day', () => {
    const network = new VoteNetwork(4);
    const first = network.begin(0);
    network.castAll(everyone, first, 'approve');

    network.skip(24 * 3_600_000);
    network.pass(40);
    const refusedAtChange = network.votes(0).counters.framesRefused;
    network.pass(3000);
    const second = network.begin(0);
    network.castAll(everyone, second, 'reject');

    expect(network.outcomes(second)).to.deep.equal(['reject', 'reject', 'reject', 'reject']);
    expect(network.votes(0).counters.framesRefused).to.equal(refusedAtChange);
  });

  it('are refused and counted when a bit is not right, wherever it is', () => {
    const network = new VoteNetwork(4);
    let count = 0;
    network.onWay = (frame, from, to) => {
      if (from !== 3 || to !== 0) return frame;
      const spoilt = frame.slice();
      const at = (count++ * 7) % spoilt.length;
      spoilt[at] = (spoilt[at] ?? 0) ^ 1;
      return spoilt;
    };

    const id = network.begin(1);
    network.castAll(everyone, id, 'approve');
    network.pass(500);

    expect(network.votes(0).counters.framesRefused).to.equal(count);
    expect(count).to.be.greaterThan(3);
    expect(network.outcomes(id)).to.deep.equal(['approve', 'approve', 'approve', 'approve']);
  });

  it('of another epoch are dropped', () => {
    const network = new VoteNetwork(4, {
      configurationOf: (member, configuration) => (member === 3 ? { ...configuration, epoch: 1 } : configuration),
    });

    const id = network.begin(0);
    network.castAll([0, 1, 2], id, 'approve');
    network.pass(3000);

    expect(network.outcomes(id)).to.deep.equal(['approve', 'approve', 'approve', undefined]);
    expect(network.votes(3).counters.framesRefused).to.be.greaterThan(0);
  });

  it('that repeat are refused', () => {
    const network = new VoteNetwork(4);
    const frames: (() => void)[] = [];
    network.onWay = (frame, from, to) => {
      if (to === 0) frames.push(() => network.votes(0).onFrame(network.node(from).id, frame));
      return frame;
    };
    const id = network.begin(1);
    network.castAll(everyone, id, 'approve');
    const before = network.votes(0).counters.framesRefused;

    for (const again of frames) again();
    network.settle();

    expect(network.votes(0).counters.framesRefused - before).to.equal(frames.length);
  });
});

describe('node: members that lie', () => {
  const doubleBallots = (network: VoteNetwork, id: string, member: number) => {
    const signed = { ...network.electorate.proposal(), id: digest(id) };
    return [0, 1].map((choice) => ({ type: 'ballot' as const, ballot: network.electorate.ballot(member, signed, [choice]) }));
  };

  it('leave evidence when they vote twice, which is kept over a restart; and the others decide', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0);
    const liar = network.corrupt(3);

    liar.sayToAll(...doubleBallots(network, id, 3));
    network.settle();
    network.kill(0);
    network.start(0);
    network.settle();
    network.castAll([0, 1, 2], id, 'approve');
    network.pass(3000);

    expect(network.votes(0).evidence()).to.have.length(1);
    expect(network.votes(0).evidence()[0]?.evidence).to.include({ kind: 'double_ballot', member: 3, proposal: id });
    expect([0, 1, 2].map((member) => network.view(member, id)?.outcome)).to.deep.equal(['approve', 'approve', 'approve']);
  });

  it('leave evidence that outlives their epoch, also over a restart', () => {
    const network = new VoteNetwork(5);
    const ids = [0, 1].map((i) => network.begin(0, { subject: `vote ${i}` }));
    const liar = network.corrupt(3);
    liar.sayToAll(...doubleBallots(network, ids[0] ?? '', 3));
    network.settle();

    network.enter([4]);
    const after = network.votes(0).evidence();
    network.kill(0);
    network.start(0);

    expect(after.map(({ epoch, evidence }) => [epoch, evidence.member])).to.deep.equal([[0, 3]]);
    expect(network.votes(0).evidence()).to.deep.equal(after);
  });

  it('do not fill a book with what they do again', () => {
    const network = new VoteNetwork(4);
    const ids = Array.from({ length: 40 }, (_, i) => network.begin(0, { subject: `vote ${i}` }));
    const liar = network.corrupt(3);

    for (const id of ids) liar.say(0, ...doubleBallots(network, id, 3));
    network.settle();

    expect(network.votes(0).evidence()).to.have.length(32);
  });

  it('fill no more than their own share of open votes', () => {
    const network = new VoteNetwork(4);
    const liar = network.corrupt(3);
    const proposals = Array.from({ length: 300 }, (_, i) => network.electorate.proposal({ proposer: 3, proposerSeq: i + 1 }));

    liar.say(0, ...proposals.map((signed) => ({ type: 'proposal' as const, bytes: encodeSignedProposal(signed) })));
    network.settle();

    expect(network.votes(0).counters.open).to.equal(256);
    expect(network.open(0).failure).to.equal(undefined);
  });

  it('open no vote in the name of another', () => {
    const network = new VoteNetwork(4);
    const liar = network.corrupt(3);
    const signed = network.electorate.proposal({ proposer: 3 });
    const forged = { ...signed, proposal: { ...signed.proposal, proposer: 1 } };

    liar.say(0, { type: 'proposal', bytes: encodeSignedProposal(forged) });
    network.settle();

    expect(network.votes(0).counters).to.include({ open: 0, recordsRefused: 1 });
  });

  it('are not listened to any more in a second in which they said too much that is wrong', () => {
    const network = new VoteNetwork(4);
    const liar = network.corrupt(3);
    const forged = Array.from({ length: 100 }, (_, i) => network.electorate.proposal({ proposer: 3, proposerSeq: i + 1, kind: 'x' })).map(
      (signed) => ({ type: 'proposal' as const, bytes: encodeSignedProposal({ ...signed, signature: new Uint8Array(64) }) }),
    );
    const refused = () => network.votes(0).counters.recordsRefused;

    liar.say(0, ...forged);
    network.settle();
    const first = refused();
    const id = network.begin(0);
    network.castAll([0, 1, 2], id, 'approve');
    network.pass(1000);
    liar.say(0, ...forged);
    network.settle();

    expect([first, refused()]).to.deep.equal([20, 40]);
    expect(network.view(0, id)?.outcome).to.equal('approve');
  });

  it('are not listened to any more in a second in which their words have cost two thousand checks, though all are rightly signed', () => {
    const network = new VoteNetwork(4);
    const liar = network.corrupt(3);
    const items = Array.from({ length: 12 }, () => ({ subject: 'x', payloadDigest: digest('0'.repeat(64)) }));
    const signed = network.electorate.proposal({ proposer: 3, items });
    const attestations = Array.from({ length: 2500 }, (_, i) => {
      const outcome = items.map((_item, bit) => (i >> bit) & 1);
      const attestation = network.electorate.attestation(signed, outcome);
      const signature = network.electorate.sign(3, { type: 'attestation', attestation });
      return { type: 'attestation' as const, attestation: { proposal: signed.id, member: 3, outcome: attestation.outcome, signature } };
    });
    const noticed = () => network.votes(0).counters.lies;

    liar.say(0, { type: 'proposal', bytes: encodeSignedProposal(signed) }, ...attestations);
    network.settle();
    const first = noticed();
    network.pass(1000);
    liar.say(0, ...attestations.slice(0, 10));
    network.settle();

    // Of the second's checks one was the proposal's and one the first attestation's.
    expect([first, noticed()]).to.deep.equal([1998, 2007]);
    expect(network.votes(0).evidence()).to.have.length(1);
  });

  it('push out nothing that others say of a vote whose proposal is late', () => {
    const network = new VoteNetwork(4);
    const liar = network.corrupt(3);
    let isHeld = true;
    network.onWay = (frame, from, to) => (isHeld && from === 0 && to === 2 ? undefined : frame);
    const id = network.begin(0);
    network.castAll([1], id, 'approve');

    for (let i = 0; i < 10; i++)
      liar.say(
        2,
        ...Array.from({ length: 512 }, (_, j) => ({ type: 'want' as const, proposal: someDigest(j % 256), value: someDigest(i) })),
      );
    network.settle();
    isHeld = false;
    network.pass(400);

    expect(network.view(2, id)?.ballots.map(({ node }) => node)).to.deep.equal([network.node(1).id]);
  });

  it('are not taken for others, whose proposals came after what they said of them', () => {
    const network = new VoteNetwork(4);
    const liar = network.corrupt(3);
    network.onWay = (frame, from, to) => (from === 0 && to === 1 ? undefined : frame);
    const ids = Array.from({ length: 30 }, (_, i) => network.begin(0, { subject: `vote ${i}`, timeoutMs: 60_000 }));
    for (const id of ids) {
      const signed = { ...network.electorate.proposal(), id: digest(id) };
      liar.say(1, { type: 'ballot', ballot: { ...network.electorate.ballot(3, signed, [0]), signature: someSignature } });
    }
    network.settle();
    network.onWay = (frame) => frame;

    network.pass(200);

    expect(network.votes(1).counters).to.include({ open: 30, recordsRefused: 20 });
  });

  it('do not end a vote by a certificate that lacks signatures', () => {
    const network = new VoteNetwork(4);
    const id = network.begin(0);
    const liar = network.corrupt(3);
    const view = network.view(0, id);

    liar.say(0, {
      type: 'attestation',
      attestation: { proposal: digest(id), member: 1, outcome: Uint8Array.of(0), signature: someSignature },
    });
    network.pass(1000);

    expect(view?.state).to.equal('open');
    expect(network.view(0, id)?.state).to.equal('open');
  });
});

const someSignature = { signature: new Uint8Array(64), index: 0, path: [] };
