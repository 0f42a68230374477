import { expect } from 'chai';
import { EventLog } from '../../src/node/event-log.ts';
import type { StateEvent } from '../../src/tasks/events.ts';

const event = (index: number): StateEvent => ({ kind: 'key', index, ts: 0, key: 'k', version: index });

describe('node: event log', () => {
  it('takes as many events at once as a node that catches up has', () => {
    const log = new EventLog(0);

    log.append(Array.from({ length: 300_000 }, (_, i) => event(i + 1)));

    expect(log.after(299_998).events.map(({ index }) => index)).to.deep.equal([299_999, 300_000]);
    expect(log.after(5).complete).to.equal(false);
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
