import { expect } from 'chai';
import {
  checkLink,
  type EpochLink,
  type EpochRules,
  followChain,
  isGuarded,
  isGuardedByDefault,
  nextConfiguration,
  successionAction,
} from '../../src/byzantine/epoch-chain.ts';
import type { EpochConfiguration } from '../../src/byzantine/epoch.ts';
import { publicKeyOf } from '../../src/byzantine/peer-id.ts';
import type { NodeId } from '../../src/core/ids.ts';
import { defined } from '../../src/core/assert.ts';
import { nodeHashes, verifySignature } from '../../src/crypto/node.ts';
import { Electorate, fixedSeeds } from './electorate.ts';

const rules: EpochRules = { hashes: nodeHashes, verify: verifySignature, keyOf: publicKeyOf, guardMembership: true };
const seeds = fixedSeeds(8);
const everybody = new Electorate(8, { seeds }).configuration.members.map(({ nodeId }) => nodeId);

const founders = (n: number): EpochConfiguration => new Electorate(n, { seeds: seeds.slice(0, n) }).configuration;
const idsOf = ({ members }: EpochConfiguration): readonly NodeId[] => members.map(({ nodeId }) => nodeId);
const next = (current: EpochConfiguration, voters: readonly NodeId[]): EpochConfiguration =>
  defined(nextConfiguration(rules, current, voters), 'all voters are named by keys');
const stranger = (current: EpochConfiguration): NodeId =>
  defined(
    everybody.find((id) => !idsOf(current).includes(id)),
    'there are eight',
  );

/** A change that the members of `current` certified. */
function certified(current: EpochConfiguration, voters: readonly NodeId[]): EpochLink {
  const configuration = next(current, voters);
  const electorate = new Electorate(current.members.length, { seeds, configuration: current });
  return { configuration, certificate: electorate.approval(successionAction(current, configuration)) };
}

const codeOf = (current: EpochConfiguration, link: EpochLink): string => checkLink(rules, current, link)?.code ?? 'follows';

describe('byzantine: epochs (protocol design 1.8)', () => {
  it('a member comes or goes by a certificate of the members before, and by nothing less', () => {
    const four = founders(4);
    const five = certified(four, [...idsOf(four), stranger(four)]);
    const without = certified(five.configuration, idsOf(five.configuration).slice(1));

    expect(codeOf(four, five)).to.equal('follows');
    expect(codeOf(five.configuration, without)).to.equal('follows');
    expect(codeOf(four, { ...five, certificate: undefined })).to.equal('certificate_required');
    expect(codeOf(five.configuration, { ...without, certificate: five.certificate })).to.equal('other_kind');
  });

  it('a certificate permits these members and no others', () => {
    const four = founders(4);
    const [one, other] = everybody.filter((id) => !idsOf(four).includes(id)).map((id) => certified(four, [...idsOf(four), id]));

    expect(codeOf(four, { configuration: defined(one, 'one').configuration, certificate: defined(other, 'other').certificate })).to.equal(
      'other_payload',
    );
  });

  it('says what has to be voted on: an eviction by its name, the rest by its epoch', () => {
    const five = founders(5);
    const ids = idsOf(five);

    expect(successionAction(five, next(five, ids.slice(1)))).to.include({ kind: 'evict', subject: `evict:${ids[0]}` });
    expect(successionAction(five, next(five, [...ids, stranger(five)]))).to.include({ kind: 'membership', subject: 'epoch:1' });
    expect(successionAction(five, next(five, [...ids.slice(1), stranger(five)]))).to.include({ kind: 'membership' });
  });

  it('lets one member go at a time, and tells those who vote when a liar more would be too many', () => {
    const five = founders(5);
    const four = next(five, idsOf(five).slice(1));
    const payloadOf = (current: EpochConfiguration, voters: readonly NodeId[]): unknown =>
      JSON.parse(successionAction(current, next(current, voters)).payload);

    expect(codeOf(five, certified(five, idsOf(five).slice(2)))).to.equal('too_many_removals');
    expect(payloadOf(five, idsOf(five).slice(1))).not.to.have.property('force');
    expect(payloadOf(four, idsOf(four).slice(1))).to.have.property('force', true);
  });

  it('asks for no certificate of fewer than four, nor where membership is not guarded', () => {
    const [three, four] = [founders(3), founders(4)];
    const open = { ...rules, guardMembership: false };
    const link = (current: EpochConfiguration): EpochLink => ({
      configuration: next(current, [...idsOf(current), stranger(current)]),
      certificate: undefined,
    });

    expect([isGuarded(rules, three), isGuarded(rules, four), isGuarded(open, four)]).to.deep.equal([false, true, false]);
    expect(codeOf(three, link(three))).to.equal('follows');
    expect(checkLink(open, four, link(four))).to.equal(undefined);
  });

  it('is asked of those who are founded as four and more, unless the genesis says something else', () => {
    expect([1, 3, 4, 5].map((n) => isGuardedByDefault(founders(n)))).to.deep.equal([false, false, true, true]);
  });

  it('takes no configuration that is not the very next: of another epoch, another past, or with a key that is not the name', () => {
    const four = founders(4);
    const five = certified(four, [...idsOf(four), stranger(four)]);
    const { configuration } = five;
    const [first, ...rest] = configuration.members;
    const forged = [{ ...defined(first, 'a member'), ed25519PublicKey: new Uint8Array(32) }, ...rest];

    for (const wrong of [{ epoch: 2 }, { previous: undefined }, { cluster: 'other' }, { kindsVersion: 2 }, { members: forged }])
      expect(codeOf(four, { ...five, configuration: { ...configuration, ...wrong } }), JSON.stringify(Object.keys(wrong))).to.equal(
        'not_the_next',
      );
  });

  it('follows a chain from the founding members on, and stops at the first link that does not hold', () => {
    const four = founders(4);
    const five = certified(four, [...idsOf(four), stranger(four)]);
    const six = certified(five.configuration, [...idsOf(five.configuration), stranger(five.configuration)]);
    const good = followChain(rules, four, [five, six]);
    const bad = followChain(rules, four, [five, { ...six, certificate: five.certificate }]);

    expect(good.ok && good.configurations.map(({ members }) => members.length)).to.deep.equal([4, 5, 6]);
    expect(bad).to.include({ ok: false, epoch: 2 });
    expect(followChain(rules, four, [six])).to.include({ ok: false, epoch: 1 });
  });
});
