import { expect } from 'chai';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CliError } from '../../../daemon/cli-error.ts';
import { readRoster, RosterKeeper } from '../../../daemon/node/roster.ts';
import { nodeId, type Roster } from '../../../src/index.ts';

const roster = (index: number): Roster => ({
  index,
  members: [{ nodeId: nodeId('a'), name: 'a', http: 'http://h:1', peer: 'h:2', voter: true }],
});
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, fatal: () => {} };

describe('daemon: the roster of members', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'quorate-'));
    path = join(directory, 'peers.json');
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('keeps the last of many, and leaves nothing else behind', async () => {
    const keeper = new RosterKeeper(path, silent);

    for (let index = 1; index <= 50; index++) keeper.keep(roster(index));
    await keeper.end();

    expect(await readRoster(path)).to.deep.equal(roster(50));
    expect(await readdir(directory)).to.deep.equal(['peers.json']);
  });

  it('is absent before the first change', async () => {
    expect(await readRoster(path)).to.equal(undefined);
  });

  it('refuses a file that is cut short or of another form, and says what to do', async () => {
    for (const text of ['{"index":1,', '[]', '{"index":-1,"members":[]}', JSON.stringify({ ...roster(1), more: 1 })]) {
      await writeFile(path, text);

      const failed = await readRoster(path).catch((error: unknown) => error);

      expect(failed, text).to.be.instanceOf(CliError);
      expect(failed, text).to.have.property('next').that.contains('--join');
    }
  });

  it('tells of a disk that fails, and goes on', async () => {
    const told: unknown[] = [];
    const keeper = new RosterKeeper(join(directory, 'nowhere', 'peers.json'), {
      ...silent,
      error: (...line: unknown[]) => void told.push(line),
    });

    keeper.keep(roster(1));
    await keeper.end();

    expect(told).to.have.length(1);
  });
});
