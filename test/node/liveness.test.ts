import { expect } from 'chai';
import { agentId, nodeId } from '../../src/core/ids.ts';
import { Liveness } from '../../src/node/liveness.ts';
import type { Agent } from '../../src/registry/agent.ts';

const [n1, n2] = [nodeId('n1'), nodeId('n2')];
const agent: Agent = {
  id: agentId('a'),
  generation: 2,
  node: 'n1',
  state: 'up',
  load: 0,
  registeredIndex: 2,
  capabilities: [],
  swarms: [],
  concurrency: 1,
  weight: 1,
  labels: {},
  ttlMs: 2000,
  role: undefined,
  group: undefined,
};

const tickMs = 20;

/** A node that listens without a break until `untilMs`. */
class Listener {
  readonly liveness = new Liveness(n1, 0);
  #nowMs = 0;

  listen(untilMs: number): this {
    while (this.#nowMs < untilMs) {
      this.#nowMs = Math.min(this.#nowMs + tickMs, untilMs);
      this.liveness.listen(this.#nowMs);
    }
    return this;
  }

  /** Nothing of it runs. */
  stop(untilMs: number): this {
    this.#nowMs = untilMs;
    this.liveness.listen(untilMs);
    return this;
  }

  silenceMs(): number | undefined {
    return this.liveness.accuse({ ...agent, ttlMs: 0 }, this.#nowMs)
      ? this.liveness.evidence({ ...agent, state: 'down' }, this.#nowMs)?.silenceMs
      : undefined;
  }
}

const downEvent = { kind: 'agent', index: 9, ts: 0, agent: agent.id, generation: 2, state: 'down', reason: 'lost' } as const;
const down: Agent = { ...agent, state: 'down' };

describe('node: when agents were last heard', () => {
  it('goes by the latest sign, however late it comes, and by the latest word', () => {
    const { liveness } = new Listener();
    const said = { report: { status: 'busy', load: 3 }, atMs: 100 } as const;

    liveness.beat(agent.id, 2, { atMs: 300, by: n2 });
    liveness.beat(agent.id, 2, { atMs: 100, by: n1, said });
    liveness.beat(agent.id, 2, { atMs: 200, by: n1, said: { report: { status: 'available' }, atMs: 50 } });

    expect(liveness.sign(agent)).to.include({ atMs: 300, by: n2 });
    expect(liveness.sign(agent)?.said).to.deep.equal(said);
  });

  it('knows nothing of an earlier registration, and forgets what is said of it', () => {
    const { liveness } = new Listener().listen(520);
    liveness.beat(agent.id, 1, { atMs: 10, by: n1, said: { report: { status: 'draining' }, atMs: 10 } });

    liveness.beat(agent.id, 2, { atMs: 20 });
    liveness.beat(agent.id, 1, { atMs: 500, by: n1 });

    expect(liveness.sign(agent)?.atMs).to.equal(20);
    expect(liveness.sign(agent)?.said).to.equal(undefined);
  });

  it('suspects after 1.25 intervals of silence, says by which measure, and the log has the last word', () => {
    const node = new Listener();
    node.liveness.beat(agent.id, 2, { atMs: 0, by: n1, said: { report: { status: 'busy' }, atMs: 0 } });

    const before = node.listen(1250).liveness.status(agent, 1250);
    const after = node.listen(1251).liveness.status(agent, 1251);

    expect([before, after]).to.deep.equal(['busy', 'suspect']);
    expect(node.liveness.evidence(agent, 1251)).to.deep.equal({
      noticedBy: n1,
      measure: 'silence',
      silenceMs: 1251,
      boundMs: 1250,
      patience: 1,
      atMs: 1251,
    });
    expect(node.liveness.status(down, 0)).to.equal('down');
  });
});

describe('node: an agent whose connection closed', () => {
  it('is suspect at once, says by which evidence, and is not given up sooner', () => {
    const node = new Listener();
    node.liveness.beat(agent.id, 2, { atMs: 0, by: n1 });

    node.listen(300).liveness.onConnectionLost(agent.id, 2, 300);

    expect(node.liveness.status(agent, 320)).to.equal('suspect');
    expect(node.liveness.evidence(agent, 320)).to.include({ noticedBy: n1, measure: 'socket_closed', atMs: 300 });
    expect(node.liveness.accuse(agent, 320)).to.equal(false);
  });

  it('is cleared by the next sign, wherever it was heard, and by none from before', () => {
    const node = new Listener();
    node.liveness.beat(agent.id, 2, { atMs: 0, by: n1 });
    node.listen(300).liveness.onConnectionLost(agent.id, 2, 300);

    node.liveness.beat(agent.id, 2, { atMs: 290, by: n2 });
    const late = node.liveness.status(agent, 320);
    node.liveness.beat(agent.id, 2, { atMs: 310, by: n2 });

    expect([late, node.liveness.status(agent, 320)]).to.deep.equal(['suspect', 'available']);
  });

  it('is not suspected for a connection of its earlier life', () => {
    const node = new Listener();
    node.liveness.beat(agent.id, 2, { atMs: 0, by: n1 });

    node.liveness.onConnectionLost(agent.id, 1, 300);

    expect(node.liveness.status(agent, 320)).to.equal('available');
  });
});

describe('node: silence is counted in time in which the node listened', () => {
  it('does not give up an agent for a time in which the node itself stood still', () => {
    const node = new Listener();
    node.liveness.beat(agent.id, 2, { atMs: 0, by: n1 });

    node.listen(500).stop(60_000);

    expect(node.liveness.accuse(agent, 60_000)).to.equal(false);
    expect(node.liveness.status(agent, 60_000)).to.equal('available');
  });

  it('gives an agent up that stays silent after that, and waits twice as long for it', () => {
    const node = new Listener();
    node.liveness.beat(agent.id, 2, { atMs: 0, by: n1 });
    node.listen(500).stop(60_000);

    // 750 ms were listened to before: two times to live are complete after 3250 more.
    const early = node.listen(63_249).liveness.accuse(agent, 63_249);
    const late = node.listen(63_250).liveness.accuse(agent, 63_250);

    expect([early, late]).to.deep.equal([false, true]);
    expect(node.liveness.evidence(down, 70_000)).to.include({ silenceMs: 4000, boundMs: 4000, patience: 2, atMs: 63_250 });
  });

  it('takes a sign that tells late of a time before, or within, the standstill for what it is', () => {
    const node = new Listener().listen(500).stop(60_000).listen(60_100);

    node.liveness.beat(agent.id, 2, { atMs: 400, by: n2 });
    const before = node.silenceMs();
    node.liveness.beat(agent.id, 2, { atMs: 30_000, by: n2 });
    const within = node.silenceMs();
    node.liveness.beat(agent.id, 2, { atMs: 60_040, by: n2 });

    expect([before, within, node.silenceMs()]).to.deep.equal([450, 100, 60]);
  });

  it('finds a dead agent though its disk lets it read only now and then', () => {
    const { liveness } = new Listener();
    liveness.beat(agent.id, 2, { atMs: 0, by: n1 });

    const found = [];
    for (let nowMs = 600; nowMs <= 60_000; nowMs += 600) {
      liveness.listen(nowMs);
      if (liveness.accuse(agent, nowMs)) found.push(nowMs);
    }

    // Less than half of the time counts, and a judge so slow waits nine times as long.
    expect(found[0]).to.equal(43_200);
  });

  it('waits longer while the event loop is slow', () => {
    const node = new Listener();
    node.liveness.beat(agent.id, 2, { atMs: 0, by: n1 });

    node.liveness.onLoopDelay(126);
    node.listen(2500);

    expect(node.liveness.status(agent, 2500)).to.equal('available');
    expect(node.liveness.status(agent, 2501)).to.equal('suspect');
  });
});

describe('node: why an agent is down', () => {
  it('tells of the leader when the log says so, and of itself what it measured as the leader', () => {
    const node = new Listener();
    node.liveness.beat(agent.id, 2, { atMs: 0, by: n1 });
    node.listen(2000).liveness.accuse(agent, 2000);
    node.listen(2100);

    node.liveness.onEvents([downEvent], n1, 2100);
    const own = node.liveness.evidence(down, 2100);
    node.liveness.onEvents([downEvent], n2, 2100);
    const told = node.liveness.evidence(down, 2100);

    expect(own).to.include({ noticedBy: n1, measure: 'silence', silenceMs: 2000, boundMs: 2000 });
    expect(told).to.include({ noticedBy: n2, measure: 'log', silenceMs: 2100, boundMs: 2000, patience: undefined });
  });

  it('forgets it when the agent registers again', () => {
    const { liveness } = new Listener().listen(2000);
    liveness.onEvents([downEvent], n2, 2000);

    liveness.onEvents([{ ...downEvent, generation: 3, state: 'up', reason: undefined }], n2, 2000);

    expect(liveness.evidence({ ...agent, generation: 3 }, 2000)).to.equal(undefined);
    expect(liveness.evidence({ ...down, generation: 3 }, 2000)).to.equal(undefined);
  });
});
