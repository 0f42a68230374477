import { expect } from 'chai';
import * as fc from 'fast-check';
import { type AgentId, type NodeId, nodeId } from '../../../src/core/ids.ts';
import type { WriterRole } from '../../../src/gossip/entry.ts';
import { AgentGossip } from '../../../src/node/gossip/agent-gossip.ts';
import type { Agent } from '../../../src/registry/agent.ts';
import { decodeAgentReport, decodeRow, encodeAgentReport, encodeRow } from '../../../src/wire/gossip-values.ts';

const [n1, n2] = [nodeId('id-1'), nodeId('id-2')];
const names = new Map<NodeId, string>([
  [n1, 'n1'],
  [n2, 'n2'],
]);

const agentOf = (id: AgentId): Agent | undefined =>
  id === 'a'
    ? {
        id,
        generation: 7,
        node: 'n1',
        state: 'up',
        load: 0,
        registeredIndex: 7,
        capabilities: [],
        swarms: [],
        concurrency: 1,
        weight: 1,
        labels: {},
        ttlMs: 1000,
        role: undefined,
        group: undefined,
      }
    : undefined;

const gossip = new AgentGossip({
  self: n1,
  name: 'n1',
  agentOf,
  nameOf: (node) => names.get(node),
  onBeat: () => {},
  clock: { monotonicMs: () => 0, unixMs: () => 0 },
});

describe('node: who may say what of agents', () => {
  const table: [string, NodeId, string, number, WriterRole, boolean][] = [
    ['the node of an agent of that agent', n1, 'agent:a', 7, 'owner', true],
    ['another node as if it were its own', n2, 'agent:a', 7, 'owner', false],
    ['another node as an observer', n2, 'agent:a', 7, 'observer', true],
    ['a node of a registration that the log has not shown yet', n2, 'agent:a', 8, 'owner', true],
    ['the node of an earlier registration', n2, 'agent:a', 6, 'owner', true],
    ['a node of an agent that the log does not know', n2, 'agent:b', 1, 'owner', true],
    ['a node of itself', n2, 'node:id-2', 1, 'owner', true],
    ['a node of another', n2, 'node:id-1', 1, 'owner', false],
    ['an observer of a node', n2, 'node:id-1', 1, 'observer', false],
    ['a node of what is no name', n1, 'agent:../x', 1, 'owner', false],
    ['a node of anything else', n1, 'other', 1, 'owner', false],
  ];
  for (const [what, node, key, generation, role, may] of table) {
    it(`${may ? 'lets' : 'does not let'} ${what}`, () => {
      expect(gossip.mayWrite(node, key, generation, role)).to.equal(may);
    });
  }
});

describe('wire: values of the gossip', () => {
  const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
  const amount = fc.double({ min: 0, max: 1e9, noNaN: true });

  it('are read back as they were', () => {
    const reports = fc.record({
      status: maybe(fc.constantFrom('available' as const, 'busy' as const, 'draining' as const)),
      load: maybe(amount),
      latencyMs: maybe(amount),
      successRate: maybe(fc.double({ min: 0, max: 1, noNaN: true })),
    });
    const rows = fc.record({
      epoch: fc.nat(),
      heard: fc.uint8Array({ maxLength: 128 }),
      term: fc.nat(),
      leader: maybe(fc.nat(1023)),
      commitIndex: fc.nat(),
    });
    fc.assert(
      fc.property(reports, rows, (report, row) => {
        expect(decodeAgentReport(encodeAgentReport(report))).to.deep.equal(report);
        expect(decodeRow(encodeRow(row))).to.deep.equal(row);
      }),
    );
  });

  it('are refused when they are malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const [report, row] = [decodeAgentReport(bytes), decodeRow(bytes)];
        expect(report?.load ?? 0).to.be.within(0, 1e9);
        expect(row?.heard.length ?? 0).to.be.at.most(128);
      }),
    );
  });
});
