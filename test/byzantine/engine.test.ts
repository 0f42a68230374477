import { expect } from 'chai';
import type { EngineOptions } from '../../src/byzantine/engine.ts';
import { Engine } from '../../src/byzantine/engine.ts';
import type { ByzantineMessage, StatementMessage } from '../../src/byzantine/messages.ts';
import type { Memory, Ready } from '../../src/byzantine/ready.ts';
import { emptyMemory } from '../../src/byzantine/ready.ts';
import type { Statement } from '../../src/byzantine/statement.ts';
import { expired } from '../../src/byzantine/witness.ts';
import { motion, Signing, statement, vote, x } from './support.ts';

const sign = new Signing();
const approve = Uint8Array.of(0);
const none = undefined;
const approved = sign.valueOf(motion.proposal, approve);

/** Member 0 of four, whose leader of view r is r mod 4. */
const engine = (options: Partial<EngineOptions> = {}, nowMs = 0): Engine =>
  new Engine({ motion, self: 0, boot: 1, notary: sign, timeoutMs: 1000, viewMs: () => 150, ...options }, nowMs);

/** Takes everything there is to do, and signs what is to be signed. */
function drain(of: Engine, nowMs = 0): Ready {
  let all: Ready = { toSign: [], save: none, messages: [], decided: none, evidence: [], breach: none };
  for (let ready = of.takeReady(); ready !== undefined; ready = of.takeReady()) {
    for (const unsigned of ready.toSign) {
      of.signed('choices' in unsigned ? sign.ballot(0, unsigned) : sign.expiry(0, unsigned), nowMs);
    }
    all = {
      toSign: [...all.toSign, ...ready.toSign],
      save: ready.save ?? all.save,
      messages: [...all.messages, ...ready.messages],
      decided: ready.decided ?? all.decided,
      evidence: [...all.evidence, ...ready.evidence],
      breach: ready.breach ?? all.breach,
    };
  }
  return all;
}

/** What went to member 1, by kind. */
const told = (ready: Ready, to = 1): string[] => ready.messages.flatMap((out) => (out.to === to ? [out.message.type] : []));

const says = (fields: Partial<Statement>, more: Partial<StatementMessage> = {}): StatementMessage => ({
  type: 'statement',
  statement: statement(fields),
  seen: none,
  ballots: Uint8Array.of(0),
  expiries: Uint8Array.of(0),
  asks: false,
  ...more,
});

const ballotOf = (voter: number, choice = 0): ByzantineMessage => ({ type: 'ballot', ballot: sign.by(voter, choice) });

/** With the ballots of 1 and 2 and its own: it has voted in phase 1. */
function conclusive(): Engine {
  const one = engine();
  one.cast(approve);
  drain(one);
  one.step(1, ballotOf(1), 0);
  one.step(2, ballotOf(2), 0);
  return one;
}

describe('byzantine: the engine, ballots', () => {
  it('gives one opinion for ever', () => {
    const one = engine();

    expect(one.cast(Uint8Array.of(7)), 'no option').to.equal(false);
    expect(one.cast(approve)).to.equal(true);
    expect(one.cast(Uint8Array.of(1))).to.equal(false);
    const { toSign, save, messages } = drain(one);
    expect(one.cast(Uint8Array.of(1))).to.equal(false);

    expect(toSign).to.deep.equal([{ proposal: motion.proposal, voter: 0, choices: approve }]);
    expect(save?.ballot?.ballot.choices).to.deep.equal(approve);
    expect(messages.map(({ to, message }) => [to, message.type])).to.deep.equal([1, 2, 3].map((to) => [to, 'ballot']));
  });

  it('hands its ballot out to be saved along with the messages that hold it', () => {
    const one = engine();
    one.cast(approve);
    const first = one.takeReady();
    expect(first).to.deep.include({ save: none, messages: [] });

    one.signed(sign.by(0, 0), 0);

    const second = one.takeReady();
    expect(second?.save?.ballot).to.equal(second?.messages[0]?.message.type === 'ballot' ? second.messages[0].message.ballot : 0);
  });

  it('after a restart it has no second opinion', () => {
    const { save } = drain(conclusive());

    expect(engine({ boot: 2, ...withMemory(save) }).cast(Uint8Array.of(1))).to.equal(false);
  });

  it('shows who gave which opinion', () => {
    expect(conclusive().ballots.map((ballot) => ballot?.choices[0])).to.deep.equal([0, 0, 0, none]);
  });

  it('is told apart what is late and what is wrong', () => {
    const one = conclusive();

    expect(one.step(1, ballotOf(1), 0).type).to.equal('ignored');
    expect(one.step(1, { type: 'ballot', ballot: sign.forged(3, 0) }, 0).type).to.equal('rejected');
    expect(one.step(0, ballotOf(3), 0).type, 'from itself').to.equal('ignored');
    expect(one.step(9, ballotOf(3), 0).type, 'from nobody').to.equal('ignored');
    expect(one.step(1, says({ view: 2, viewChange: 1 }), 0).type).to.equal('rejected');
    expect(one.step(1, says({}, { ballots: Uint8Array.of(255) }), 0).type).to.equal('rejected');
  });
});

describe('byzantine: the engine, statements', () => {
  it('saves its statement along with the messages that hold it, and sends only the newest', () => {
    const one = conclusive();
    one.step(1, says({ current: [approved, none, none, none] }), 0);
    one.step(2, says({ current: [approved, none, none, none] }), 0);

    const { save, messages } = drain(one);

    expect(save?.statement.current).to.deep.equal([approved, approved, none, none]);
    const sent = messages.flatMap(({ message }) => (message.type === 'statement' ? [message.statement] : []));
    expect(sent).to.deep.equal([save?.statement, save?.statement, save?.statement]);
  });

  it('saves the witness for what it votes', () => {
    expect(drain(conclusive()).save?.witnesses.map(({ value }) => value)).to.deep.equal([approved]);
  });

  it('says after a restart what it said before, as of the new boot', () => {
    const before = drain(conclusive()).save;

    const again = engine({ boot: 2, ...withMemory(before) });
    again.tick(0);

    expect(again.statement).to.deep.equal({ ...before?.statement, boot: 2 });
    expect(told(drain(again))).to.deep.equal(['ballot', 'statement']);
  });

  it('votes after a restart for no other value', () => {
    const again = engine({ boot: 2, ...withMemory(drain(conclusive()).save) });
    for (const voter of [1, 2, 3]) again.step(voter, ballotOf(voter, 1), 0);

    expect(again.statement.current[0]).to.equal(approved);
  });

  it('ignores an older statement that comes later', () => {
    const one = engine();
    one.step(1, says({ revision: 5, viewChange: 3 }), 0);

    expect(one.step(1, says({ revision: 4, viewChange: 9 }), 0).type).to.equal('ignored');
    one.step(2, says({ viewChange: 9 }), 0);
    expect(one.statement.viewChange).to.equal(3);
  });

  it('reports who takes back a word, once', () => {
    const one = engine();
    one.step(1, says({ revision: 1, current: [approved, none, none, none] }), 0);
    one.step(1, says({ revision: 2, current: [x, none, none, none] }), 0);
    one.step(1, says({ revision: 3, current: [approved, none, none, none] }), 0);

    expect(drain(one).evidence.map(({ kind, member }) => [kind, member])).to.deep.equal([['equivocation_mac', 1]]);
  });

  it('decides with the witness, and once a boot', () => {
    const one = conclusive();
    drain(one);
    one.step(1, says({ decided: approved }), 0);
    one.step(2, says({ decided: approved }), 0);

    expect(drain(one).decided?.outcome).to.deep.equal(approve);
    one.step(3, says({ decided: approved }), 0);
    expect(drain(one).decided).to.equal(undefined);
  });

  it('stops at two decisions, and says so once', () => {
    const one = conclusive();
    one.step(1, says({ decided: approved }), 0);
    one.step(2, says({ decided: approved }), 0);
    drain(one);

    one.step(1, says({ revision: 2, decided: x }), 0);
    one.step(3, says({ decided: x }), 0);

    expect(drain(one).breach).to.have.members([approved, x]);
    expect(one.wakeAtMs).to.equal(Number.POSITIVE_INFINITY);
    expect(one.step(2, ballotOf(3), 0).type).to.equal('ignored');
    expect(one.takeReady()).to.equal(undefined);
  });
});

describe('byzantine: the engine, witnesses', () => {
  it('asks those who speak of a decided value for its witness, and reports the decision when it has it', () => {
    const one = engine();
    one.step(1, says({ decided: approved }), 0);
    one.step(2, says({ decided: approved }), 0);
    const asked = drain(one);
    expect(asked.decided).to.equal(undefined);
    expect([told(asked, 1), told(asked, 2), told(asked, 3)]).to.deep.equal([['want', 'statement'], ['want', 'statement'], ['statement']]);

    const { save } = drain(conclusive());
    const [witness] = save?.witnesses ?? [];
    if (witness !== undefined) one.step(2, { type: 'witness', witness }, 0);

    const got = drain(one);
    expect(got.decided?.value).to.equal(approved);
    expect(got.save?.witnesses).to.deep.equal([witness]);
  });

  it('takes no bad witness', () => {
    const one = engine();
    const outcome = Uint8Array.of(1);
    const value = sign.valueOf(motion.proposal, outcome);
    const ballots = [1, 2, 3].map((voter) => sign.forged(voter, 1));

    const verdict = one.step(1, { type: 'witness', witness: { proposal: motion.proposal, value, outcome, ballots, expiries: [] } }, 0);

    expect(verdict).to.deep.equal({ type: 'rejected', why: 'bad witness: a ballot is not signed by its voter' });
  });

  it('answers who wants one, but no flood', () => {
    const one = conclusive();
    drain(one);
    for (let i = 0; i < 100; i++) one.step(1, { type: 'want', value: approved }, 0);
    one.step(2, { type: 'want', value: x }, 0);

    const { messages } = drain(one);

    expect(messages.map(({ to, message }) => [to, message.type])).to.deep.equal([0, 1, 2, 3].map(() => [1, 'witness']));
  });

  it('sends the witness with what it proposes as the leader', () => {
    const leader = conclusive();
    drain(leader);
    const here = { view: 4, frozen: [vote(0, approved), none, none, none] } as const;
    leader.step(1, says(here), 0);
    leader.step(2, says(here), 0);
    leader.step(3, says(here), 0);

    const ready = drain(leader);

    expect(ready.save?.statement.proposed).to.equal(approved);
    expect(told(ready)).to.deep.equal(['witness', 'statement']);
  });
});

describe('byzantine: the engine, time', () => {
  it('gives up waiting at the deadline, names what is open, and lets a leader close it', () => {
    const one = engine();
    expect(one.wakeAtMs).to.equal(1000);

    one.tick(1000);

    expect(drain(one, 1000).save?.expiry?.expiry.items).to.deep.equal(Uint8Array.of(1));
    for (const voter of [1, 2]) one.step(voter, { type: 'expiry', expiry: sign.expiryBy(voter, motion, 0) }, 1000);
    expect(one.statement.current[0], 'not in view 0').to.equal(undefined);
    for (const voter of [1, 2, 3]) one.step(voter, says({ view: 4 }), 1000);
    const [witness] = drain(one, 1000).save?.witnesses ?? [];
    expect(witness?.outcome).to.deep.equal(Uint8Array.of(expired));
  });

  it('lets nothing expire that it holds conclusive ballots for', () => {
    const one = conclusive();
    drain(one);

    one.tick(1000);

    expect(drain(one, 1000).toSign).to.deep.equal([]);
  });

  it('asks for the next view when a view takes too long, half as long again each time', () => {
    const one = conclusive();
    drain(one);
    one.tick(149);
    expect(one.statement.viewChange).to.equal(0);

    one.tick(150);
    expect(one.statement.viewChange).to.equal(1);
    for (const peer of [1, 2]) one.step(peer, says({ revision: 7, viewChange: 1 }), 200);
    expect(one.statement.view).to.equal(1);
    one.tick(424);
    expect(one.statement.viewChange).to.equal(1);
    one.tick(425);
    expect(one.statement.viewChange).to.equal(2);
  });

  it('does not hurry voters: view 0 has no time while nobody goes on', () => {
    const one = engine({ timeoutMs: 604_800_000 });
    one.cast(approve);
    drain(one);

    one.tick(600_000_000);

    expect(one.statement.viewChange).to.equal(0);
  });

  it('reminds a silent peer after 100 ms, then half as often each time, at least every two seconds', () => {
    const one = conclusive();
    drain(one);
    const at: number[] = [];
    for (let nowMs = 1; nowMs < 10_000; nowMs++) {
      one.tick(nowMs);
      const ready = drain(one, nowMs);
      if (ready.messages.some(({ to, message }) => to === 3 && message.type === 'statement' && message.asks)) at.push(nowMs);
    }

    // At 150 it asks for view 1, which is news: the waits start again.
    expect(at).to.deep.equal([100, 200, 300, 500, 900, 1700, 3300, 5300, 7300, 9300]);
  });

  it('leaves a peer alone that has shown to have all', () => {
    const one = conclusive();
    drain(one);
    const { boot, revision } = one.statement;
    for (const peer of [1, 2, 3]) one.step(peer, says({ revision: 0 }, { seen: { boot, revision }, ballots: Uint8Array.of(7) }), 0);

    one.tick(140);

    expect(drain(one, 140).messages).to.deep.equal([]);
  });

  it('asks on when it has given up a view, also who has shown to have all: who has ended the vote says nothing unasked', () => {
    const one = conclusive();
    one.tick(150);
    drain(one, 150);
    const { boot, revision } = one.statement;
    for (const peer of [1, 2]) one.step(peer, says({ revision: 1 }, { seen: { boot, revision }, ballots: Uint8Array.of(7) }), 150);
    one.step(3, says({ decided: approved }), 150);
    const asked = (nowMs: number): number[] => {
      one.tick(nowMs);
      return drain(one, nowMs).messages.flatMap(({ to, message }) => (message.type === 'statement' && message.asks ? [to] : []));
    };

    expect([asked(300), asked(100_000)]).to.deep.equal([
      [1, 2],
      [1, 2],
    ]);
  });

  it('sends a peer the ballots that it lacks', () => {
    const one = conclusive();
    drain(one);
    one.step(1, says({ revision: 0 }, { ballots: Uint8Array.of(0b011) }), 0);

    one.tick(100);

    const sent = drain(one, 100).messages.flatMap(({ to, message }) =>
      to === 1 && message.type === 'ballot' ? [message.ballot.ballot.voter] : [],
    );
    expect(sent).to.deep.equal([2]);
  });

  it('answers a question at once, but no flood', () => {
    const one = engine();
    let answers = 0;
    for (let i = 0; i < 100; i++) {
      one.step(1, says({ revision: i }, { asks: true }), 0);
      answers += drain(one).messages.length;
    }

    expect(answers).to.equal(4);
  });

  it('asks all others when it starts again, and one whose link is back', () => {
    const again = engine({ boot: 2, memory: emptyMemory(2) });
    again.tick(0);
    expect(drain(again).messages.map(({ to, message }) => [to, message.type])).to.deep.equal([1, 2, 3].map((to) => [to, 'statement']));
    for (const peer of [1, 2, 3]) again.step(peer, says({ revision: 0 }), 0);
    again.tick(100);
    drain(again, 100);

    again.reconnected(2, 110);
    again.tick(110);

    expect(drain(again, 110).messages.map(({ to }) => to)).to.deep.equal([2]);
  });
});

const withMemory = (memory: Memory | undefined): { memory?: Memory } => (memory === undefined ? {} : { memory });
