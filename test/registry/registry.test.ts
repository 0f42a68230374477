import { expect } from 'chai';
import * as fc from 'fast-check';
import { agentId } from '../../src/core/ids.ts';
import type { Agent, Registration } from '../../src/registry/agent.ts';
import { everyAgent } from '../../src/registry/query.ts';
import { Registry } from '../../src/registry/registry.ts';

const registration = (fields: Partial<Registration> = {}): Registration => ({
  agent: agentId('a'),
  capabilities: [],
  swarms: [],
  concurrency: 1,
  weight: 1,
  labels: {},
  ttlMs: 10_000,
  role: undefined,
  group: undefined,
  node: 'n1',
  ...fields,
});

const idsOf = (agents: Iterable<Agent>): string[] => Array.from(agents, (agent) => agent.id);

describe('registry: agents by capability and swarm', () => {
  it('answers every query as a scan of all agents would, page by page', () => {
    const names = fc.subarray(['x', 'y', 'z', 'w']);
    const state = fc.constantFrom('up', 'draining', 'down');
    const agents = fc.array(
      fc.record({ id: fc.nat(20), capabilities: names, swarms: fc.subarray(['red', 'blue']), state, isGone: fc.boolean() }),
      { maxLength: 40 },
    );
    const query = fc.record({
      all: names,
      any: names,
      none: fc.subarray(['x', 'w']),
      swarm: fc.option(fc.constantFrom('red', 'blue', 'green'), { nil: undefined }),
      state: fc.option(state, { nil: undefined }),
    });
    fc.assert(
      fc.property(agents, query, fc.option(fc.nat(20), { nil: undefined }), (script, asked, after) => {
        const registry = new Registry();
        for (const [i, { id, isGone, ...step }] of script.entries()) {
          const agent = agentId(`a${id}`);
          registry.register(registration({ agent, capabilities: step.capabilities, swarms: step.swarms }), i + 1);
          registry.setState(agent, step.state);
          if (isGone) registry.remove(agent);
        }
        const afterId = after === undefined ? undefined : agentId(`a${after}`);

        const found = idsOf(registry.query(asked, afterId));

        const expected = [...registry.all()]
          .filter(({ id }) => afterId === undefined || id > afterId)
          .filter((agent) => asked.all.every((each) => agent.capabilities.includes(each)))
          .filter((agent) => asked.any.length === 0 || asked.any.some((each) => agent.capabilities.includes(each)))
          .filter((agent) => !asked.none.some((each) => agent.capabilities.includes(each)))
          .filter((agent) => asked.swarm === undefined || agent.swarms.includes(asked.swarm))
          .filter((agent) => asked.state === undefined || agent.state === asked.state);
        expect(found).to.deep.equal(expected.map((agent) => agent.id));
      }),
      { numRuns: 300 },
    );
  });

  it('shows all agents by id, whatever the order of their registration', () => {
    const registry = new Registry();

    for (const [i, name] of ['c', 'a', 'b', 'a'].entries()) registry.register(registration({ agent: agentId(name) }), i + 1);

    expect(idsOf(registry.all())).to.deep.equal(['a', 'b', 'c']);
    expect(idsOf(registry.query(everyAgent, 'a'))).to.deep.equal(['b', 'c']);
  });

  it('a generation rises although the agent had been forgotten in between', () => {
    const registry = new Registry();
    const before = registry.register(registration(), 5).generation;

    registry.remove(agentId('a'));
    const after = registry.register(registration(), 9).generation;

    expect([before, after]).to.deep.equal([5, 9]);
  });

  it('a new registration replaces capabilities and swarms', () => {
    const registry = new Registry();
    registry.register(registration({ capabilities: ['x', 'x'], swarms: ['red'] }), 1);

    registry.register(registration({ capabilities: ['y'], swarms: ['blue'] }), 2);

    expect(idsOf(registry.query({ ...everyAgent, all: ['x'] }, undefined))).to.deep.equal([]);
    expect(idsOf(registry.query({ ...everyAgent, all: ['y'] }, undefined))).to.deep.equal(['a']);
    expect([...registry.swarms().keys()]).to.deep.equal(['blue']);
  });

  it('knows whether another could take what one may not', () => {
    const registry = new Registry();
    for (const name of ['a', 'b']) registry.register(registration({ agent: agentId(name), capabilities: ['x'] }), 1);

    const other = registry.hasOther(['x'], undefined, [agentId('a')]);
    registry.setState(agentId('b'), 'draining');
    const none = registry.hasOther(['x'], undefined, [agentId('a')]);

    expect([other, none]).to.deep.equal([true, false]);
  });

  it('knows the groups whose primary is up', () => {
    const registry = new Registry();
    const primary = registration({ role: 'primary', group: 'g' });
    registry.register(primary, 1);
    registry.register(primary, 2);

    const up = registry.hasPrimary('g');
    registry.setState(agentId('a'), 'down');
    const down = registry.hasPrimary('g');

    expect([up, down]).to.deep.equal([true, false]);
  });
});
