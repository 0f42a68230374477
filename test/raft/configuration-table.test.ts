import { expect } from 'chai';
import { type NodeId, nodeId } from '../../src/core/ids.ts';
import { changeConfiguration, validateConfiguration } from '../../src/raft/configuration.ts';
import type { ConfigurationChange, MemberChange } from '../../src/raft/configuration-change.ts';
import type { Configuration } from '../../src/raft/messages.ts';

const ids = (digits = ''): NodeId[] => Array.from(digits, (digit) => nodeId(`n${digit}`));

/** `134&123/5+2!`: voters 1 3 4, outgoing voters 1 2 3, learner 5, learner to be 2, leaves by itself. All but the voters may be missing. */
function configuration(written: string): Configuration {
  const { voters, outgoing, learners, learnersNext, auto } =
    /^(?<voters>\d*)(&(?<outgoing>\d+))?(\/(?<learners>\d+))?(\+(?<learnersNext>\d+))?(?<auto>!?)$/.exec(written)?.groups ?? {};
  if (voters === undefined) throw new RangeError(`"${written}" is no configuration`);
  return {
    voters: ids(voters),
    outgoing: ids(outgoing),
    learners: ids(learners),
    learnersNext: ids(learnersNext),
    autoLeave: auto === '!',
  };
}

const types: Readonly<Record<string, MemberChange['type']>> = { v: 'add-voter', l: 'add-learner', '-': 'remove' };

/** `v4 l3 -2`: add voter 4, add learner 3, remove 2, in this order. */
function change(transition: ConfigurationChange['transition'], written: string): ConfigurationChange {
  const words = written === '' ? [] : written.split(' ');
  const changes = words.map((word) => {
    const type = types[word[0] ?? ''];
    if (type === undefined) throw new RangeError(`"${word}" is no change`);
    return { type, node: nodeId(`n${word.slice(1)}`) };
  });
  return { transition, changes, context: '' };
}

type Row = readonly [from: string, transition: ConfigurationChange['transition'], changes: string, result: string];

const mustLeave = 'the joint configuration must be left first';
const noVoter = 'no voter would be left';

/** One member at a time, without a joint configuration (thesis §4.1). */
const direct: readonly Row[] = [
  ['1', 'auto', 'v2', '12'],
  ['1', 'auto', 'v1', '1'],
  ['1', 'auto', 'l2', '1/2'],
  ['1', 'auto', '-2', '1'],
  ['1', 'auto', '-1', noVoter],
  ['1', 'auto', 'l1', noVoter],
  ['1/2', 'auto', 'v2', '12'],
  ['1/2', 'auto', 'l2', '1/2'],
  ['1/2', 'auto', '-2', '1'],
  ['1/2', 'auto', '-1', noVoter],
  ['1/2', 'auto', 'v3', '13/2'],
  ['1/2', 'auto', 'l3', '1/23'],
  ['12', 'auto', '-1', '2'],
  ['12', 'auto', '-2', '1'],
  ['12', 'auto', 'l1', '2/1'],
  ['12', 'auto', 'l2', '1/2'],
  ['24', 'auto', 'v3', '234'],
  ['24', 'auto', 'v1', '124'],
  ['123', 'auto', '-9', '123'],
  ['123/45', 'auto', 'v4', '1234/5'],
  ['123/45', 'auto', '-5', '123/4'],
  ['123/45', 'auto', 'l2', '13/245'],
  ['', 'auto', 'v1', '1'],
  ['', 'auto', 'l1', noVoter],
  ['', 'auto', '-1', noVoter],
];

/** Several at a time enter a joint configuration (§6). */
const entering: readonly Row[] = [
  ['123', 'auto', 'v4 v5', '12345&123!'],
  ['123', 'auto', 'v4 -1', '234&123!'],
  ['123', 'auto', '-1 -2', '3&123!'],
  ['123', 'auto', 'l1 l2', '3&123+12!'],
  ['123', 'auto', 'v4 l4', '123&123/4!'],
  ['123', 'auto', 'l4 v4', '1234&123!'],
  ['123', 'auto', 'v4 -4', '123&123!'],
  ['123', 'auto', '-1 v1', '123&123!'],
  ['123', 'auto', 'l1 v1', '123&123!'],
  ['123', 'auto', 'l1 -1', '23&123!'],
  ['123', 'auto', '-1 l1', '23&123+1!'],
  ['123', 'auto', '-1 -2 -3', noVoter],
  ['123', 'auto', 'l1 l2 l3', noVoter],
  ['123', 'auto', '-1 -2 -3 v4', '4&123!'],
  ['123', 'auto', 'v4 v5 v6 -1 -2 -3', '456&123!'],
  ['123/4', 'auto', 'v4 l3', '124&123+3!'],
  ['123/4', 'auto', '-4 l3', '12&123+3!'],
  ['123/4', 'auto', 'l5 l6', '123&123/456!'],
  ['1', 'joint-implicit', 'v2', '12&1!'],
  ['1', 'joint-implicit', '-2', '1&1!'],
  ['1', 'joint-implicit', '', '1&1!'],
  ['1', 'joint-implicit', '-1', noVoter],
  ['12', 'joint-implicit', 'l2', '1&12+2!'],
  ['1', 'joint-explicit', 'v2', '12&1'],
  ['1', 'joint-explicit', '', '1&1'],
  ['1', 'joint-explicit', 'l1', noVoter],
  ['123/4', 'joint-explicit', 'v4 -1', '234&123'],
  ['123/4', 'joint-explicit', 'l2', '13&123/4+2'],
  ['', 'joint-explicit', 'v1', 'a configuration without voters can not become joint'],
  ['', 'auto', 'v1 v2', 'a configuration without voters can not become joint'],
];

/** Out of a joint configuration leads one way only. */
const leaving: readonly Row[] = [
  ['12&1', 'auto', '', '12'],
  ['12&1!', 'auto', '', '12'],
  ['1&123+23', 'auto', '', '1/23'],
  ['1&123/4+23!', 'auto', '', '1/234'],
  ['456&123', 'auto', '', '456'],
  ['1&1', 'auto', '', '1'],
  ['1', 'auto', '', 'there is no joint configuration to leave'],
  ['1/2', 'auto', '', 'there is no joint configuration to leave'],
  ['12&1', 'auto', 'v3', mustLeave],
  ['12&1', 'auto', '-2', mustLeave],
  ['12&1', 'auto', 'v3 v4', mustLeave],
  ['12&1!', 'joint-implicit', 'v3', mustLeave],
  ['12&1!', 'joint-explicit', '', mustLeave],
];

/** Configurations that nobody may start with. */
const contradictory: readonly (readonly [string, string])[] = [
  ['11', 'a member is named twice in one role'],
  ['1&22', 'a member is named twice in one role'],
  ['1/22', 'a member is named twice in one role'],
  ['12/2', 'a learner is also a voter'],
  ['1&2/2', 'a learner is also a voter'],
  ['1+2', 'a learner to be is not an outgoing voter'],
  ['12&23+2', 'a learner to be is also an incoming voter'],
  ['1!', 'only a joint configuration can be left'],
];

describe('raft: changes of the configuration, one by one (§6, thesis §4)', () => {
  for (const [from, transition, changes, result] of [...direct, ...entering, ...leaving]) {
    it(`from ${from || 'nothing'}, ${transition} "${changes}" gives ${result}`, () => {
      const before = configuration(from);

      const changed = changeConfiguration(before, change(transition, changes));

      if (/[a-z]/.test(result)) expect(changed).to.deep.equal({ ok: false, reason: result });
      else expect(changed).to.deep.equal({ ok: true, configuration: configuration(result) });
      expect(before).to.deep.equal(configuration(from));
    });
  }

  for (const [written, fault] of contradictory) {
    it(`${written} is refused: ${fault}`, () => {
      expect(validateConfiguration(configuration(written))).to.equal(fault);
    });
  }

  it('gives no configuration that contradicts itself', () => {
    const accepted = [...direct, ...entering, ...leaving].map(([, , , result]) => result).filter((result) => !/[a-z]/.test(result));

    for (const result of accepted) expect(validateConfiguration(configuration(result)), result).to.equal(undefined);
  });
});
