import { expect } from 'chai';
import { digest } from '../../src/byzantine/digest.ts';
import { split } from '../../src/byzantine/witness.ts';
import { EventLog, toldOf } from '../../src/node/event-log.ts';
import type { StateEvent } from '../../src/tasks/events.ts';

const event = (index: number): StateEvent => ({ kind: 'key', index, ts: 0, key: 'k', version: index });

describe('node: event log', () => {
  it('takes as many events at once as a node that catches up has', () => {
    const log = new EventLog(0);

    log.append(Array.from({ length: 300_000 }, (_, i) => event(i + 1)));

    expect(log.after(299_998).events.map(({ index }) => index)).to.deep.equal([299_999, 300_000]);
    expect(log.after(5).complete).to.equal(false);
  });

  it('tells each item of a proposal, and counts each', () => {
    const news = {
      kind: 'vote' as const,
      proposal: digest('a'.repeat(64)),
      type: 'deploy',
      options: ['approve', 'reject'],
      index: 7,
      ts: 9,
    };
    const log = new EventLog(0);

    log.append([{ ...news, subjects: ['web', 'db'], ended: Uint8Array.of(1, split) }]);
    const told = toldOf(log.after(0).events);
    for (let i = 0; i < 50; i++) log.append([{ ...news, subjects: Array.from({ length: 1000 }, () => 'web'), ended: undefined }]);

    const common = { kind: 'vote', type: 'deploy', index: 7, ts: 9 };
    expect(told).to.deep.equal([
      { ...common, vote: `${news.proposal}.0`, subject: 'web', state: 'decided', outcome: 'reject' },
      { ...common, vote: `${news.proposal}.1`, subject: 'db', state: 'no_consensus', outcome: 'split' },
    ]);
    expect(log.after(0).events.length).to.be.within(20, 40);
  });

  it('gives what came after an index, and says when older events are gone', () => {
    const log = new EventLog(10);
    log.append([event(11), event(12)]);

    expect(log.after(11)).to.deep.equal({ events: [event(12)], complete: true });
    expect(log.after(3).complete).to.equal(false);
    log.skipTo(50);
    expect(log.after(12)).to.deep.equal({ events: [], complete: false });
  });
});
