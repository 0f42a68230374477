import { expect } from 'chai';
import { run } from '../run.ts';

describe('daemon: sim gossip', () => {
  it('prints how many worlds held and what happened in them', async () => {
    const { code, out } = await run('sim', 'gossip', '--seeds', '8', '--seed', '3');

    expect(code).to.equal(0);
    expect(out).to.match(/^8 of 8 worlds ok\n\d+ writes, \d+ messages, /);
  });

  it('prints a line of JSON for each world', async () => {
    const { out } = await run('sim', 'gossip', '--seeds', '2', '--nodes', '5', '--output', 'json');

    const lines = out.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).n)).to.deep.equal([5, 5]);
  });

  it('says how fast an update is everywhere', async () => {
    const { out } = await run('sim', 'gossip', '--spread', '--nodes', '40', '--updates', '5');

    expect(out).to.match(/^5 updates among 40 nodes, 5 % of messages lost/);
    expect(out).to.match(/5 of 5 within two rounds of anti-entropy\n$/);
  });

  it('refuses numbers that make no sense', async () => {
    for (const flags of [
      ['--nodes', '1'],
      ['--nodes', '65'],
      ['--spread', '--nodes', '1'],
      ['--spread', '--loss', '91'],
      ['--spread', '--updates', '0'],
    ]) {
      expect((await run('sim', 'gossip', '--seeds', '1', ...flags)).code).to.equal(2);
    }
  });
});
