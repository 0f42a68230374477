import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digest } from '../../src/byzantine/digest.ts';
import { type Genesis, loadIdentity } from '../../src/index.ts';
import { certificateDocument } from '../../src/verify/document.ts';
import { Electorate } from '../byzantine/electorate.ts';
import { run } from './run.ts';

const electorate = new Electorate(4);
const payload = 'the bytes that were approved';
const proposal = electorate.proposal({
  items: [{ subject: 'deploy:web', payloadDigest: digest(createHash('sha256').update(payload).digest('hex')) }],
  notAfterMs: 1_000_000_000_000,
});

describe('daemon: vote verify', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'quorate-vote-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const certificateFile = (certificate = electorate.certificate({ proposal, withBallots: true })): string =>
    file('cert.json', JSON.stringify(certificateDocument(certificate, electorate.configuration)));
  const verify = (certificate: string, ...flags: string[]) =>
    run('vote', 'verify', certificate, '--genesis', file('genesis.json', electorate.genesis), ...flags);

  it('ends with 0 and says what was decided and who signed', async () => {
    const { code, out, err } = await verify(certificateFile());

    expect({ code, err }).to.deep.equal({ code: 0, err: '' });
    expect(out)
      .to.match(/^valid\ndeploy:web: approve\n/)
      .and.contain('signers   3 (quorum 3): ')
      .and.contain(`ballot    ${electorate.configuration.members[0]?.nodeId}: approve`);
  });

  it('ends with 7 and says why not', async () => {
    const { code, out, err } = await verify(certificateFile(electorate.certificate({ proposal, signers: 2 })));

    expect(code).to.equal(7);
    expect(out).to.equal('invalid\n  quorum_short: 2 right signatures, 1 short of the quorum of 3\n');
    expect(err).to.match(/^quorate: vote verify: [^\n]*cert\.json is not valid — do not act on it[^\n]*\n$/);
  });

  it('answers in JSON for scripts', async () => {
    const good = await verify(certificateFile(), '-o', 'json');
    const bad = await verify(file('cert.json', '{}'), '-o', 'json');

    expect(JSON.parse(good.out)).to.deep.include({ valid: true, id: proposal.id, f: 1 });
    expect(JSON.parse(bad.out)).to.deep.equal({
      valid: false,
      objections: [{ code: 'malformed', detail: 'it is not a certificate file: JSON with the field certificate' }],
    });
    expect(bad.code).to.equal(7);
  });

  it('compares it with what a deploy tool is about to do', async () => {
    const right = file('payload', payload);
    const wrong = file('other', `${payload}.`);

    const expected = ['--subject', 'deploy:web', '--kind', 'deployment-approve', '--option', 'approve', '--payload'];
    expect(await verify(certificateFile(), ...expected, right)).to.include({ code: 0 });
    expect((await verify(certificateFile(), ...expected, wrong)).out).to.contain('other_payload');
    expect((await verify(certificateFile(), '--subject', 'deploy:api')).out).to.contain('other_subject');
    expect((await verify(certificateFile(electorate.certificate({ proposal, outcome: [1] })), '--option', 'approve')).out).to.contain(
      'other_outcome: deploy:web: reject, not approve',
    );
    expect((await verify(certificateFile(), '--at-present')).out).to.contain('too_late');
  });

  it('knows the members of a cluster that was really made', async () => {
    const dir = join(folder, 'cluster');
    await run('cluster', 'init', '--nodes', '4', '--dir', dir);
    const path = join(dir, 'genesis.json');
    const genesis: Genesis = JSON.parse(readFileSync(path, 'utf8'));
    const keys = [1, 2, 3, 4].map((i) =>
      loadIdentity(Buffer.from(readFileSync(join(dir, `node-${i}`, 'key'), 'utf8'), 'base64')).privateKey.raw.subarray(0, 32),
    );
    const members = new Electorate(4, { cluster: genesis.clusterId, seeds: keys });
    const certificate = file('cert.json', JSON.stringify(certificateDocument(members.certificate(), members.configuration)));

    expect(members.configuration.members.map(({ nodeId }) => nodeId)).to.have.members(genesis.members.map(({ nodeId }) => nodeId));
    expect(await run('vote', 'verify', certificate, '--genesis', path)).to.include({ code: 0 });
  });

  it('ends with 1 when a file is missing or the genesis is of no use, and with 2 without a genesis', async () => {
    expect(await verify(join(folder, 'nowhere'))).to.include({ code: 1 });
    expect((await run('vote', 'verify', certificateFile(), '--genesis', file('broken', '{'))).err).to.contain(
      "can't be used: the genesis is not JSON",
    );
    expect(await run('vote', 'verify', certificateFile())).to.include({ code: 2 });
  });
});
