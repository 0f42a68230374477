import { expect } from 'chai';
import type { Candidates } from '../../src/byzantine/agreement.ts';
import { Agreement } from '../../src/byzantine/agreement.ts';
import type { Statement } from '../../src/byzantine/statement.ts';
import type { Value } from '../../src/byzantine/witness.ts';
import { statement, vote, x, y, z } from './support.ts';

const none = undefined;

/** Member 0 of four; member r mod 4 leads view r. `x` and `y` have witnesses. */
function member(own: Partial<Statement> = {}, candidates: Partial<Candidates> = {}, n = 4): Agreement {
  const held = { isValid: (value: Value) => value !== z, conclusive: none, afterExpiry: none, ...candidates };
  return new Agreement({ n, self: 0, firstLeader: 0, statement: statement(own), candidates: held });
}

/** Members 1, 2 and so on say this. */
function hear(agreement: Agreement, ...statements: (Statement | undefined)[]): Statement {
  for (const [i, s] of statements.entries()) if (s !== undefined) agreement.receive(i + 1, s);
  agreement.settle();
  return agreement.own;
}

const voted = (view: number, ...values: (Value | undefined)[]): Statement =>
  statement({ view, current: [values[0], values[1], values[2], values[3]] });

describe('byzantine: R1, following a quorum', () => {
  it('enters the view in which a quorum has voted alike', () => {
    expect(hear(member(), voted(3, x), voted(3, x), voted(3, x)).view).to.equal(3);
  });

  it('does not for votes of fewer', () => {
    expect(hear(member({}, {}, 7), voted(3, x), voted(3, x), voted(3, x)).view).to.equal(0);
  });

  it('never goes back', () => {
    expect(hear(member({ view: 5 }), voted(3, x), voted(3, x), voted(3, x)).view).to.equal(5);
  });
});

describe('byzantine: R2, voting for what a quorum voted for', () => {
  for (const phase of [0, 1, 2]) {
    it(`votes in phase ${phase + 2} when a quorum has in phase ${phase + 1}`, () => {
      const said = voted(0, ...[0, 1, 2].map((k) => (k === phase ? x : none)));

      const own = hear(member(), said, said, said);

      expect(own.current[phase + 1]).to.equal(x);
      expect(own.current[phase]).to.equal(undefined);
    });
  }

  it('counts its own vote', () => {
    expect(hear(member({ current: [x, none, none, none] }), voted(0, x), voted(0, x)).current).to.deep.equal([x, x, none, none]);
  });

  it('does not for votes of fewer, or of a view before', () => {
    expect(hear(member(), voted(0, x), voted(0, x), voted(0, y)).current[1]).to.equal(undefined);
    expect(hear(member({ view: 1 }), voted(0, x), voted(0, x), voted(0, x)).current[1]).to.equal(undefined);
  });

  it('votes once a phase', () => {
    expect(hear(member({ current: [none, y, none, none] }), voted(0, x), voted(0, x), voted(0, x)).current[1]).to.equal(y);
  });
});

describe('byzantine: R3, deciding', () => {
  it('decides what a quorum voted for in phase 4, also of a view long left', () => {
    const said = voted(0, none, none, none, x);

    expect(hear(member({ view: 4 }), said, said, said).decided).to.equal(x);
    expect(hear(member({ view: 4 }), said, said).decided).to.equal(undefined);
  });

  it('decides what F+1 members say is decided, and not what F say', () => {
    const said = statement({ decided: x });

    expect(hear(member(), said, said).decided).to.equal(x);
    expect(hear(member(), said).decided).to.equal(undefined);
  });

  it('stops at a second decision, which only more than F liars can bring about', () => {
    const agreement = member({ decided: x });

    hear(agreement, statement({ decided: y }), statement({ decided: y }));

    expect(agreement.breach).to.have.members([x, y]);
    expect(agreement.own.decided).to.equal(x);
    expect(hear(agreement, none, none, statement({ viewChange: 9 })), 'says nothing new').to.equal(agreement.own);
  });

  it('goes on helping after it has decided', () => {
    const said = statement({ viewChange: 1 });

    expect(hear(member({ decided: x }), said, said, said).view).to.equal(1);
  });
});

describe('byzantine: R4 and R5, changing the view', () => {
  const asks = (viewChange: number): Statement => statement({ viewChange });

  it('asks for what F+1 ask for', () => {
    expect(hear(member({}, {}, 7), asks(2), asks(3), asks(9))).to.include({ view: 0, viewChange: 2 });
    expect(hear(member({}, {}, 7), asks(2), asks(3))).to.include({ view: 0, viewChange: 0 });
  });

  it('F liars move nobody', () => {
    expect(hear(member(), asks(1000))).to.include({ view: 0, viewChange: 0 });
  });

  it('enters what a quorum asks for', () => {
    expect(hear(member(), asks(3), asks(3), asks(2))).to.include({ view: 3, viewChange: 3 });
    expect(hear(member(), asks(3), asks(1))).to.include({ view: 1, viewChange: 1 });
  });

  it('asks for the next view when its time is up, once, and not when it has decided', () => {
    const agreement = member({ view: 2 });

    agreement.timeOut();
    agreement.timeOut();
    agreement.settle();

    expect(agreement.own).to.include({ view: 2, viewChange: 3, revision: 2 });
    const decided = member({ decided: x });
    decided.timeOut();
    expect(decided.own.viewChange).to.equal(0);
  });
});

describe('byzantine: R6, proposing', () => {
  const here = statement({ view: 4 });

  it('proposes the outcome of its ballots when nothing can have been decided', () => {
    expect(hear(member({ view: 4 }, { conclusive: x, afterExpiry: y }), here, here).proposed).to.equal(x);
  });

  it('proposes what expiries make of it when ballots are not conclusive', () => {
    expect(hear(member({ view: 4 }, { afterExpiry: y }), here, here).proposed).to.equal(y);
  });

  it('prefers what may have been decided, of the highest view', () => {
    const older = statement({ view: 4, frozen: [none, none, vote(1, x), none] });
    const newer = statement({ view: 4, frozen: [none, vote(2, y), vote(2, y), none] });

    const own = hear(member({ view: 4, frozen: [none, vote(2, y), none, none] }, { conclusive: x }), older, newer);

    expect(own.proposed).to.equal(y);
  });

  it('proposes nothing without a witness, or without a quorum in its view', () => {
    expect(hear(member({ view: 4 }, { conclusive: z }), here, here).proposed).to.equal(undefined);
    expect(hear(member({ view: 4 }, { conclusive: x }), here, statement({ view: 3 })).proposed).to.equal(undefined);
  });

  it('proposes as the leader only, and not in view 0', () => {
    const there = statement({ view: 5 });

    expect(hear(member({ view: 5 }, { conclusive: x }), there, there).proposed).to.equal(undefined);
    expect(hear(member({}, { conclusive: x }), statement(), statement()).proposed).to.equal(undefined);
  });
});

describe('byzantine: R7, the first vote of a view', () => {
  it('is for the conclusive ballots in view 0, without a leader', () => {
    expect(hear(member({}, { conclusive: x })).current[0]).to.equal(x);
    expect(hear(member({}, { afterExpiry: x })).current[0], 'expiries need a leader').to.equal(undefined);
  });

  const proposes = (value: Value, view = 1): Statement => statement({ view, proposed: value });

  it('is for the proposal of the leader later', () => {
    expect(hear(member({ view: 1 }, { conclusive: y }), proposes(x), statement({ view: 1 })).current[0]).to.equal(x);
  });

  it('waits for the leader, for a witness, and for a quorum in the view', () => {
    expect(hear(member({ view: 1 }, { conclusive: y }), none, proposes(x), statement({ view: 1 })).current[0]).to.equal(undefined);
    expect(hear(member({ view: 1 }), proposes(z), statement({ view: 1 })).current[0]).to.equal(undefined);
    expect(hear(member({ view: 1 }), proposes(x), statement()).current[0]).to.equal(undefined);
    expect(hear(member({ view: 1 }), proposes(x, 2), statement({ view: 1 })).current[0]).to.equal(undefined);
  });

  it('is not for what contradicts a possible decision', () => {
    const before = statement({ view: 1, frozen: [vote(0, y), vote(0, y), vote(0, y), vote(0, y)] });

    expect(hear(member({ ...before }), proposes(x), before).current[0]).to.equal(undefined);
  });
});

describe('byzantine: one vote, told once', () => {
  it('four honest members decide what their ballots say', () => {
    const members = [0, 1, 2, 3].map(
      (self) =>
        new Agreement({
          n: 4,
          self,
          firstLeader: 0,
          statement: statement({ revision: 0 }),
          candidates: { isValid: () => true, conclusive: self === 3 ? none : x, afterExpiry: none },
        }),
    );

    for (let round = 0; round < 5; round++) {
      for (const agreement of members) agreement.settle();
      for (const [from, { own }] of members.entries()) {
        for (const [to, agreement] of members.entries()) if (to !== from) agreement.receive(from, own);
      }
    }

    expect(members.map(({ own }) => own.decided)).to.deep.equal([x, x, x, x]);
    expect(members.map(({ own }) => own.view)).to.deep.equal([0, 0, 0, 0]);
    expect(members[0]?.own.revision, 'a revision for each change').to.equal(5);
  });

  it('has no new revision without a change', () => {
    const agreement = member();

    agreement.settle();

    expect(agreement.own.revision).to.equal(1);
  });
});
