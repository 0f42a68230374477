import { expect } from 'chai';
import { Agreement } from '../../sim/byzantine/invariants/agreement.ts';
import { voteInvariants } from '../../sim/byzantine/invariants/all.ts';
import type { VoteInvariant } from '../../sim/byzantine/invariants/invariant.ts';
import { OwnEpoch } from '../../sim/byzantine/invariants/own-epoch.ts';
import { SoundCertificate } from '../../sim/byzantine/invariants/sound-certificate.ts';
import { Violation } from '../../sim/violation.ts';
import type { Memory } from '../../src/byzantine/ready.ts';
import { emptyMemory } from '../../src/byzantine/ready.ts';
import type { Statement } from '../../src/byzantine/statement.ts';
import { inView } from '../../src/byzantine/statement.ts';
import type { Witness } from '../../src/byzantine/witness.ts';
import { maxWitnesses } from '../../src/byzantine/witnesses.ts';
import { nodeHashes, verifySignature } from '../../src/crypto/node.ts';
import { Electorate } from '../byzantine/electorate.ts';
import { motion, Signing, statement, x, y } from '../byzantine/support.ts';

const sign = new Signing();
const electorate = new Electorate(4);
const none = undefined;
const memory = (fields: Partial<Statement>, more: Partial<Memory> = {}): Memory => ({
  ...emptyMemory(1),
  statement: statement(fields),
  ...more,
});
const witness = (choice: number, voters = [0, 1, 2]): Witness => ({
  proposal: motion.proposal,
  value: sign.valueOf(motion.proposal, Uint8Array.of(choice)),
  outcome: Uint8Array.of(choice),
  ballots: voters.map((voter) => sign.by(voter, choice)),
  expiries: [],
});
const saves =
  (...memories: readonly Memory[]) =>
  (invariant: VoteInvariant) => {
    for (const [i, after] of memories.entries()) invariant.onSaved?.(0, memories[i - 1], after);
  };
const says = (revision: number) => (invariant: VoteInvariant) =>
  invariant.onSent?.(0, memory({ revision: 3 }), {
    type: 'statement',
    statement: statement({ revision }),
    seen: none,
    ballots: Uint8Array.of(0),
    expiries: Uint8Array.of(0),
    asks: false,
  });
const expires = (...items: number[]) => sign.expiryBy(0, { ...motion, items: 2 }, ...items);
const voted = statement({ current: [x, none, none, none] });

interface Story {
  readonly good: (invariant: VoteInvariant) => void;
  readonly bad: (invariant: VoteInvariant) => void;
}

/** Member 3 lies. */
const stories: Readonly<Record<string, readonly Story[]>> = {
  monotonic: [{ good: saves(memory({ view: 1 }), memory({ view: 2 })), bad: saves(memory({ view: 2 }), memory({ view: 1 })) }],
  'one-vote-per-phase': [
    {
      good: saves(memory(voted), memory(inView(voted, 1)), memory({ view: 1, current: [y, none, none, none] })),
      bad: saves(memory(voted), memory({ current: [y, none, none, none] })),
    },
    {
      good: saves(memory(voted)),
      bad: saves(memory(voted), memory({ ...inView(voted, 1), frozen: [{ view: 0, value: y }, none, none, none] })),
    },
  ],
  'one-ballot': [
    {
      good: saves(memory({}), memory({}, { ballot: sign.by(0, 0) }), memory({}, { ballot: sign.by(0, 0) })),
      bad: saves(memory({}, { ballot: sign.by(0, 0) }), memory({}, { ballot: sign.by(0, 1) })),
    },
    {
      good: saves(memory({}, { expiry: expires(0) }), memory({}, { expiry: expires(0, 1) })),
      bad: saves(memory({}, { expiry: expires(0) }), memory({}, { expiry: expires(1) })),
    },
  ],
  'liars-move-nobody': [
    { good: saves(memory({ viewChange: 1 }), memory({ viewChange: 2 })), bad: saves(memory({ viewChange: 2 })) },
    {
      good: (it) => {
        it.onSaved?.(1, none, memory({ viewChange: 1 }));
        it.onSaved?.(0, none, memory({ view: 1 }));
      },
      bad: saves(memory({ view: 1 })),
    },
  ],
  'bounded-memory': [
    {
      good: saves(memory({}, { witnesses: Array.from({ length: maxWitnesses }, () => witness(0)) })),
      bad: saves(memory({}, { witnesses: Array.from({ length: maxWitnesses + 1 }, () => witness(0)) })),
    },
  ],
  'durable-before-sent': [
    { good: says(3), bad: says(4) },
    {
      good: (it) => it.onSent?.(0, memory({}, { ballot: sign.by(0, 1) }), { type: 'ballot', ballot: sign.by(0, 1) }),
      bad: (it) => it.onSent?.(0, memory({}), { type: 'ballot', ballot: sign.by(0, 1) }),
    },
    {
      good: (it) => it.onSent?.(0, memory({}, { expiry: expires(0, 1) }), { type: 'expiry', expiry: expires(0) }),
      bad: (it) => it.onSent?.(0, memory({}, { expiry: expires(0) }), { type: 'expiry', expiry: expires(0, 1) }),
    },
  ],
  agreement: [
    {
      good: (it) => [0, 1].forEach((member) => it.onDecided?.(member, witness(0))),
      bad: (it) => [0, 1].forEach((member) => it.onDecided?.(member, witness(member))),
    },
    { good: saves(memory({ decided: x }), memory({ decided: x })), bad: saves(memory({ decided: x }), memory({ decided: y })) },
    {
      good: (it) => [0, 1].forEach((member) => it.onCertified?.(member, electorate.certificate())),
      bad: (it) => [0, 1].forEach((member) => it.onCertified?.(member, electorate.certificate({ outcome: [member] }))),
    },
    { good: () => {}, bad: (it) => it.onBreach?.(0, [x, y]) },
  ],
  'valid-witness': [
    { good: (it) => it.onDecided?.(0, witness(0)), bad: (it) => it.onDecided?.(0, witness(0, [0, 1])) },
    {
      good: saves(memory({ current: [witness(0).value, none, none, none] }, { witnesses: [witness(0)] })),
      bad: saves(memory({ current: [x, none, none, none] }, { witnesses: [witness(0)] })),
    },
  ],
  'honest-support': [{ good: (it) => it.onDecided?.(0, witness(0, [0, 1, 3])), bad: (it) => it.onDecided?.(0, witness(0, [0, 3, 3])) }],
  'fair-evidence': [
    {
      good: (it) =>
        it.onEvidence?.(0, { kind: 'double_ballot', proposal: motion.proposal, member: 3, first: sign.by(3, 0), second: sign.by(3, 1) }),
      bad: (it) =>
        it.onEvidence?.(0, { kind: 'double_ballot', proposal: motion.proposal, member: 1, first: sign.by(1, 0), second: sign.by(1, 1) }),
    },
  ],
  'decides-in-time': [
    {
      good: (it) => {
        saves(memory({ view: 9 }))(it);
        it.onCalm?.();
        saves(memory({ view: 15 }))(it);
      },
      bad: (it) => {
        saves(memory({ view: 9 }))(it);
        it.onCalm?.();
        saves(memory({ view: 16 }))(it);
      },
    },
  ],
  'sound-certificate': [
    {
      good: (it) => it.onCertified?.(0, electorate.certificate({ withBallots: true })),
      bad: (it) => it.onCertified?.(0, electorate.certificate({ signers: 2 })),
    },
    {
      good: (it) => it.onCertified?.(0, electorate.certificate()),
      bad: (it) => {
        const good = electorate.certificate();
        const [one, ...others] = good.attesters;
        it.onCertified?.(0, { ...good, attesters: one === undefined ? [] : others.map(({ member }) => ({ ...one, member })) });
      },
    },
  ],
};

const fresh = (name: string): VoteInvariant => {
  const trust = { hashes: nodeHashes, verify: verifySignature, configuration: electorate.configuration };
  const all = [...voteInvariants({ motion, notary: sign, liars: new Set([3]) }, new Agreement()), new SoundCertificate(trust)];
  const found = all.find((invariant) => invariant.name === name);
  if (found === undefined) throw new Error(`there is no invariant ${name}`);
  return found;
};

describe('simulator: invariants of Byzantine votes (protocol design 1.13)', () => {
  for (const [name, all] of Object.entries(stories)) {
    it(`${name} holds where it should, and only there`, () => {
      for (const { good, bad } of all) {
        good(fresh(name));
        expect(() => bad(fresh(name))).to.throw(Violation, name);
      }
    });
  }

  it('own-epoch holds where a member goes from one epoch to the next, and not where it goes back', () => {
    const disk = (epoch: number, ...instances: readonly number[]) => ({
      boot: { boot: 1, generation: 1, epoch, mayVote: true, forgotten: [] },
      instances: instances.map((of) => ({ proposal: electorate.proposal({ epoch: of }), memory: none, payloads: new Map() })),
    });
    const after = (...saved: readonly ReturnType<typeof disk>[]) => {
      const invariant = new OwnEpoch();
      for (const each of saved) invariant.onSaved(0, each);
      return invariant;
    };

    after(disk(0, 0), disk(1, 1, 1)).onSent(0, 1);

    expect(() => after(disk(1), disk(0))).to.throw(Violation, 'own-epoch');
    expect(() => after(disk(0), disk(1, 0))).to.throw(Violation, 'own-epoch');
    expect(() => after(disk(1)).onSent(0, 0)).to.throw(Violation, 'own-epoch');
  });

  it('each has a story', () => {
    const names = voteInvariants({ motion, notary: sign, liars: new Set() }, new Agreement()).map(({ name }) => name);

    expect(Object.keys(stories)).to.have.members([...names, 'sound-certificate']);
  });
});
