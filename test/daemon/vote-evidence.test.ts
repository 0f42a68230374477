import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evidenceDocument } from '../../src/verify/evidence-document.ts';
import { Electorate } from '../byzantine/electorate.ts';
import { run } from './run.ts';

const electorate = new Electorate(4);
const proposal = electorate.proposal();
const [first, second] = [electorate.ballot(2, proposal, [0]), electorate.ballot(2, proposal, [1])];

describe('daemon: vote evidence --check', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'quorate-evidence-'));
    writeFileSync(join(folder, 'genesis.json'), electorate.genesis);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const check = (other: typeof first) => {
    const evidence = evidenceDocument(
      { epoch: 0, evidence: { kind: 'double_ballot', proposal: proposal.id, member: 2, first, second: other } },
      electorate.configuration,
    );
    writeFileSync(join(folder, 'evidence.json'), JSON.stringify(evidence));
    return run('vote', 'evidence', '--check', join(folder, 'evidence.json'), '--genesis', join(folder, 'genesis.json'));
  };

  it('ends with 0 and names the liar', async () => {
    const { code, out } = await check(second);

    expect({ code, out }).to.deep.equal({ code: 0, out: `proven\n${electorate.configuration.members[2]?.nodeId} lied: double_ballot\n` });
  });

  it('ends with 7 and says why it proves nothing', async () => {
    const { code, out } = await check(first);

    expect(code).to.equal(7);
    expect(out).to.match(/^not proven\n {2}not_proven: /);
  });

  it('ends with 2 without a genesis, and with 1 without the file', async () => {
    expect((await run('vote', 'evidence', '--check', 'nowhere.json')).code).to.equal(2);
    expect((await run('vote', 'evidence', '--check', 'nowhere.json', '--genesis', join(folder, 'genesis.json'))).code).to.equal(1);
  });
});

describe('daemon: vote open and cast, used wrongly', () => {
  it('ends with 2 when a ballot is given to several nodes, or an outcome is expected and not waited for', async () => {
    const two = 'http://127.0.0.1:1,http://127.0.0.1:2';

    expect((await run('vote', 'cast', 'a'.repeat(64), 'approve', '--endpoints', two)).code).to.equal(2);
    expect((await run('vote', 'open', 'web', '--expect', 'approve')).code).to.equal(2);
    expect((await run('vote', 'open', 'web', '--min-support', 'many')).code).to.equal(2);
    expect((await run('vote', 'open')).code).to.equal(2);
  });

  it('ends with 2 when an agent has nothing to run, or would judge for several nodes', async () => {
    const agent = ['agent', 'run', '--id', 'a', '--capabilities', 'opinion:x'];

    expect((await run(...agent)).code).to.equal(2);
    expect((await run(...agent, '--judge', 'echo approve', '--endpoints', 'http://127.0.0.1:1,http://127.0.0.1:2')).code).to.equal(2);
  });
});
