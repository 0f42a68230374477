import { expect } from 'chai';
import { type Entry, maxEntriesPerMessage } from '../../src/raft/messages.ts';
import { RaftLog } from '../../src/raft/raft-log.ts';

const entry = (index: number, bytes: number): Entry => ({ term: 1, index, count: 1, kind: 'command', data: new Uint8Array(bytes) });

describe('raft: log', () => {
  it('gives a follower that is far behind no more tiny entries at once than a message may hold', () => {
    const entries = Array.from({ length: maxEntriesPerMessage + 10 }, (_, i) => entry(i + 1, 0));
    const log = new RaftLog(entries, { index: 0, term: 0 }, 0, 0);

    expect(log.after(0, 1_000_000)).to.have.length(maxEntriesPerMessage);
    expect(log.after(maxEntriesPerMessage, 1_000_000)).to.have.length(10);
  });

  it('gives as many entries as the bytes allow, and always one', () => {
    const log = new RaftLog([entry(1, 100), entry(2, 100), entry(3, 100)], { index: 0, term: 0 }, 0, 0);

    expect(log.after(0, 200).map(({ index }) => index)).to.deep.equal([1, 2]);
    expect(log.after(1, 10).map(({ index }) => index)).to.deep.equal([2]);
    expect(log.after(3, 10)).to.deep.equal([]);
  });
});
