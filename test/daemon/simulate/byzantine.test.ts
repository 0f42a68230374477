import { expect } from 'chai';
import { run } from '../run.ts';

describe('daemon: sim byzantine', () => {
  it('prints how many votes were held and what came of them', async () => {
    const { code, out } = await run('sim', 'byzantine', '--seeds', '16', '--seed', '3');

    expect(code).to.equal(0);
    expect(out).to.match(/^16 of 16 votes ok, 0 of them with frames: \d+ for an option, \d+ split, \d+ expired\n/);
    expect(out).to.match(/\d+ votes a second\n$/);
  });

  it('prints a line of JSON for each vote', async () => {
    const { out } = await run('sim', 'byzantine', '--seeds', '2', '--nodes', '7', '--output', 'json');

    const lines = out.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).n)).to.deep.equal([7, 7]);
  });

  it('ends with 8 when more lie than may, and says how to see it again', async () => {
    const { code, out, err } = await run('sim', 'byzantine', '--seeds', '200', '--nodes', '4', '--faulty', '3');

    expect(code).to.equal(8);
    const [, seed] = /again: quorate sim byzantine --seeds 1 --seed (\d+) --nodes 4 --faulty 3 --trace/.exec(out) ?? [];
    const again = await run('sim', 'byzantine', '--seeds', '1', '--seed', seed ?? '', '--nodes', '4', '--faulty', '3', '--trace');
    expect(again.code).to.be.oneOf([8, 9]);
    expect(again.out).to.match(/^ +\d+\.\d+ ms  n\d+  /);
    expect(err).to.include('votes failed');
  });
});
