import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { followFaults, faultsOf, parsePartition } from '../../../daemon/node/link-faults.ts';
import { nodeId } from '../../../src/core/ids.ts';
import { eventually, LogRecorder } from '../../transport/support.ts';

/** The lost directions among n nodes, as "hearer<speaker". */
function lost(text: string, count: number): string {
  const isLost = parsePartition(text, count);
  const all = Array.from({ length: count }, (_, i) => i + 1);
  return all.flatMap((a) => all.filter((b) => a !== b && isLost(a, b)).map((b) => `${a}<${b}`)).join(' ');
}

describe('dev partition', () => {
  it('reads groups, bridges and directions', () => {
    const table = [
      ['1,2,3', ''],
      ['1/2,3', '1<2 1<3 2<1 3<1'],
      ['1,2', '1<3 2<3 3<1 3<2'],
      ['1,2/2,3', '1<3 3<1'],
      ['1>2', '2<1'],
      ['1,2>3', '3<1 3<2'],
      [' 1 / 2 , 3 ', '1<2 1<3 2<1 3<1'],
    ] as const;
    for (const [text, expected] of table) expect(lost(text, 3), text).to.equal(expected);
  });

  it('refuses what names no node or says nothing', () => {
    for (const text of ['', '0', '4', '1,x', '1>2>3', '1/2>3', '1//2', '-1'])
      expect(() => lost(text, 3), text).to.throw(/no node|can't be read/);
  });

  it('tells each node whom it does not hear and whom it does not reach', () => {
    expect(Object.fromEntries(faultsOf(['a', 'b', 'c'], parsePartition('1>2', 3)))).to.deep.equal({
      a: { deafTo: [], muteTo: ['b'] },
      b: { deafTo: ['a'], muteTo: [] },
      c: { deafTo: [], muteTo: [] },
    });
  });

  it('follows the file of a node: what it says, what is wrong in it, and that it is gone', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-faults-'));
    const path = join(directory, 'faults.json');
    const told: unknown[] = [];
    const log = new LogRecorder();
    const node = {
      peers: { members: () => ['p1', 'p2'].map((id, i) => ({ nodeId: nodeId(id), name: `node-${i + 1}` })) },
      impairLinks: (faults: unknown) => void told.push(faults),
    };
    const stop = followFaults(node, path, log);
    try {
      writeFileSync(path, JSON.stringify({ deafTo: ['node-2', 'nobody'], muteTo: [] }));
      await eventually(() => told.length === 1, 'the file is read');
      writeFileSync(path, '{"deafTo":3}');
      await eventually(() => log.lines.some(({ message }) => message.includes('not valid')), 'the mistake is told');
      rmSync(path);
      await eventually(() => told.length === 2, 'the end of the file is seen');
    } finally {
      stop();
      rmSync(directory, { recursive: true });
    }
    expect(told).to.deep.equal([
      { deafTo: ['p2'], muteTo: [] },
      { deafTo: [], muteTo: [] },
    ]);
  });
});
