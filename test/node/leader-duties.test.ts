import { expect } from 'chai';
import { nodeId } from '../../src/core/ids.ts';
import { LeaderDuties } from '../../src/node/leader-duties.ts';
import { Liveness } from '../../src/node/liveness.ts';
import type { Command } from '../../src/tasks/commands.ts';
import { a1, Log, registration } from '../tasks/support.ts';

const tickMs = 20;
const ttlMs = 2000;

/** A leader with one agent, which was heard as its leadership began. */
function leader() {
  const log = new Log();
  log.must(registration({ ttlMs }));
  const liveness = new Liveness(nodeId('n1'), 0);
  const duties = new LeaderDuties(liveness);
  duties.begin(log.state, 0);
  const generation = log.state.registry.get(a1)?.generation ?? 0;
  return {
    generation,
    liveness,
    listen: (fromMs: number, untilMs: number): void => {
      for (let nowMs = fromMs + tickMs; nowMs <= untilMs; nowMs += tickMs) liveness.listen(nowMs);
    },
    patrol: (nowMs: number): readonly Command[] => {
      const proposed: Command[] = [];
      duties.patrol(log.state, log.ts, nowMs, (command) => proposed.push(command));
      return proposed;
    },
  };
}

describe('node: what the leader proposes of agents', () => {
  it('gives an agent up after its time to live of silence, once', () => {
    const { generation, listen, patrol } = leader();

    listen(0, ttlMs - tickMs);
    const early = patrol(ttlMs - tickMs);
    listen(ttlMs - tickMs, ttlMs);
    const late = patrol(ttlMs);

    expect(early).to.deep.equal([]);
    expect(late).to.deep.equal([{ op: 'AgentsDown', agents: [{ agent: a1, generation }] }]);
    expect(patrol(ttlMs + tickMs)).to.deep.equal([]);
  });

  it('gives nobody up when it was itself stopped for longer than that, and hears them again', () => {
    const { generation, liveness, listen, patrol } = leader();
    listen(0, 1000);

    liveness.listen(10 * ttlMs);
    const resumed = patrol(10 * ttlMs);
    liveness.beat(a1, generation, { atMs: 10 * ttlMs + 100 });
    listen(10 * ttlMs, 11 * ttlMs);

    expect(resumed).to.deep.equal([]);
    expect(patrol(11 * ttlMs)).to.deep.equal([]);
  });
});
