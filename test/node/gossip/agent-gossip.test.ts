import { expect } from 'chai';
import * as fc from 'fast-check';
import { type AgentId, agentId, type NodeId, nodeId } from '../../../src/core/ids.ts';
import type { Entry, WriterRole } from '../../../src/gossip/entry.ts';
import { AgentGossip } from '../../../src/node/gossip/agent-gossip.ts';
import type { Sign } from '../../../src/node/liveness.ts';
import type { Agent } from '../../../src/registry/agent.ts';
import { decodeAgentWord, encodeAgentWord } from '../../../src/wire/gossip-values.ts';

const [n1, n2] = [nodeId('id-1'), nodeId('id-2')];
const names = new Map<NodeId, string>([
  [n1, 'n1'],
  [n2, 'n2'],
]);

const worker: Agent = {
  id: agentId('a'),
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
  ttlMs: 8000,
  role: undefined,
  group: undefined,
};
const agentOf = (id: AgentId): Agent | undefined => (id === worker.id ? worker : undefined);

/** The gossip of one node, whose entries a test may hand to another's at once. */
class Teller {
  nowMs = 0;
  readonly entries = new Map<string, Entry>();
  readonly heard: Sign[] = [];
  readonly rows: number[] = [];
  readonly agents: AgentGossip;
  readonly self: NodeId;
  writes = 0;

  constructor(self: NodeId) {
    this.self = self;
    const name = names.get(self) ?? '';
    const clock = { monotonicMs: () => this.nowMs, unixMs: () => unixMs + this.nowMs };
    this.agents = new AgentGossip({
      self,
      name,
      agentOf,
      nameOf: (node) => names.get(node),
      onBeat: (_agent, _generation, sign) => void this.heard.push(sign),
      onRow: (row) => void this.rows.push(...row),
      clock,
    });
  }

  readonly gossip = {
    get: (key: string) => this.entries.get(key),
    entries: () => this.entries,
    write: (key: string, value: Uint8Array | undefined, as: { readonly generation: number; readonly role: WriterRole }) => {
      const own = { dot: { node: this.self, counter: ++this.writes }, stamp: (unixMs + this.nowMs) * 1024, value, ...as };
      const others = this.entries.get(key)?.siblings.filter(({ dot }) => dot.node !== this.self) ?? [];
      this.entries.set(key, { vector: [], siblings: [...others, own] });
      return true;
    },
  };

  /** This node has heard the agent; `report` is what it said, if anything, or an earlier word. */
  hears(said?: Sign['said']): void {
    this.agents.heard(this.gossip, worker, { atMs: this.nowMs, by: this.self, said });
  }

  /** Takes another's values beside its own. */
  takes(other: Teller, key = 'agent:a'): readonly Sign[] {
    const siblings = [...(this.entries.get(key)?.siblings ?? []), ...(other.entries.get(key)?.siblings ?? [])];
    this.entries.set(key, { vector: [], siblings });
    this.agents.onChanged(this.gossip, new Set([key]));
    return this.heard.splice(0);
  }
}

const unixMs = 1_800_000_000_000;
const gossip = new Teller(n1).agents;

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

describe('node: what nodes tell each other of agents', () => {
  const busy = { status: 'busy' as const, load: 3 };

  it('is who was heard, when, by whom, and what it said', () => {
    const [here, there] = [new Teller(n1), new Teller(n2)];
    here.hears({ report: busy, atMs: 0 });
    there.nowMs = 3000;

    const signs = there.takes(here);

    expect(signs).to.deep.equal([
      { atMs: 0, by: n1, said: { report: { ...busy, latencyMs: undefined, successRate: undefined }, atMs: 0 } },
    ]);
  });

  it('is told at once when the agent says something, else a few times a heartbeat interval, with the age of what it said', () => {
    const teller = new Teller(n1);
    const said = { report: busy, atMs: 0 };

    teller.hears(said);
    teller.nowMs = 999;
    teller.hears(said);
    expect(teller.writes).to.equal(1);
    teller.nowMs = 1000;
    teller.hears(said);
    expect(teller.writes).to.equal(2);
    teller.nowMs = 1001;
    teller.hears({ report: busy, atMs: 1001 });
    expect(teller.writes).to.equal(3);
    teller.nowMs = 3000;
    teller.hears({ report: busy, atMs: 1001 });

    const there = new Teller(n2);
    there.nowMs = 6000;
    expect(there.takes(teller).map(({ atMs, said: word }) => [atMs, word?.atMs])).to.deep.equal([[3000, 1001]]);
  });

  it('counts an agent as heard by whoever heard it last, though its own node ranks higher for what it says', () => {
    const [own, other, reader] = [new Teller(n1), new Teller(n2), new Teller(n1)];
    own.hears({ report: busy, atMs: 0 });
    other.nowMs = 5000;
    other.hears({ report: { status: 'available' }, atMs: 5000 });
    reader.nowMs = 9000;
    reader.takes(own);

    const signs = reader.takes(other);

    expect(signs.map(({ atMs, by, said }) => [atMs, by, said?.report.status])).to.deep.equal([
      [0, n1, 'busy'],
      [5000, n2, undefined],
    ]);
  });

  it('are rows too, of which others hand on what there is: the newest is known by its own numbers', () => {
    const [here, there] = [new Teller(n1), new Teller(n2)];
    here.agents.tellRow(here.gossip, Uint8Array.of(1));
    there.takes(here, 'node:id-1');
    here.agents.tellRow(here.gossip, Uint8Array.of(2));
    there.takes(here, 'node:id-1');
    here.takes(here, 'node:id-1');

    expect(there.rows).to.deep.equal([1, 1, 2]);
    expect(here.rows, 'its own').to.deep.equal([]);
  });

  it('is not believed of a registration that the log does not know', () => {
    const [liar, reader] = [new Teller(n2), new Teller(n1)];
    liar.gossip.write('agent:a', encodeAgentWord({ said: undefined }), { generation: 8, role: 'owner' });
    liar.gossip.write('agent:b', encodeAgentWord({ said: undefined }), { generation: 1, role: 'owner' });

    expect(reader.takes(liar)).to.deep.equal([]);
    expect(reader.takes(liar, 'agent:b')).to.deep.equal([]);
  });

  it('is taken as of now when it is younger than clocks may differ', () => {
    const [here, there] = [new Teller(n1), new Teller(n2)];
    here.hears();
    there.nowMs = 400;

    expect(there.takes(here)).to.deep.equal([{ atMs: 400, by: n1, said: undefined }]);
  });
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
    fc.assert(
      fc.property(reports, (report) => {
        for (const said of [undefined, { report, ageMs: 5 }]) expect(decodeAgentWord(encodeAgentWord({ said }))).to.deep.equal({ said });
      }),
    );
  });

  it('are refused when they are malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(decodeAgentWord(bytes)?.said?.report.load ?? 0).to.be.within(0, 1e9);
      }),
    );
  });
});
