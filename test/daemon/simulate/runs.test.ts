import { expect } from 'chai';
import { run } from '../run.ts';

describe('daemon: sim', () => {
  for (const [args, why] of [
    [['run', '--jobs', '0'], 'from 1 to 64'],
    [['run', '--nodes', '99'], 'from 1 to 15'],
    [['run', '--seed', '4294967296'], 'from 0 to 4294967295'],
    [['run', '--seeds', '0'], 'from 1 to'],
    [['run', '--steps', '1e3'], 'from 1 to'],
    [['run', 'bridge', '--nodes', '1'], 'there is no n2 among 1 nodes'],
    [['run', 'no-such-scenario'], 'there is no scenario no-such-scenario'],
    [['run', './no-such-file'], "./no-such-file can't be read"],
    [['replay', 'one'], 'from 0 to 4294967295'],
    [['shrink', '1', '--budget', '0'], 'from 1 to 86400'],
    [['mutants', '--jobs', '-1'], 'from 1 to 64'],
    [['byzantine', '--seeds', '0'], 'from 1 to'],
    [['byzantine', '--nodes', '3'], 'from 4 to 16'],
    [['byzantine', '--nodes', '17'], 'from 4 to 16'],
    [['byzantine', '--nodes', '4', '--faulty', '5'], 'at least one member must be honest'],
  ] as const) {
    it(`ends \`${args.join(' ')}\` with 2 and says why`, async () => {
      const { code, err } = await run('sim', ...args);

      expect(code).to.equal(2);
      expect(err)
        .to.match(/^quorate: sim [^\n]*\n$/)
        .and.contain(why);
    });
  }

  it('runs as many nodes as a plan may have', async () => {
    expect(await run('sim', 'run', 'random', '--seed', '1', '--nodes', '15', '--steps', '300')).to.include({ code: 0 });
  });
});
