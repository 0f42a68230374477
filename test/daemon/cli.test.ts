import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { durationMs } from '../../daemon/arguments.ts';
import { exitCodeOf } from '../../daemon/exit-codes.ts';
import { nearest } from '../../daemon/nearest.ts';
import { parseLines } from '../../daemon/submit-many.ts';
import { run } from './run.ts';

describe('daemon: usage errors', () => {
  for (const [args, suggestion] of [
    [['statsu'], 'did you mean status?'],
    [['kv', 'gett', 'a'], 'did you mean get?'],
    [['status', '--outptu', 'json'], 'did you mean --output?'],
    [['dev', 'up', '--nodse', '3'], 'did you mean --nodes?'],
  ] as const) {
    it(`ends \`${args.join(' ')}\` with 2 and a suggestion on one line`, async () => {
      const { code, err } = await run(...args);

      expect(code).to.equal(2);
      expect(err)
        .to.match(/^quorate: [^\n]*\n$/)
        .and.contain(suggestion);
    });
  }

  it('ends a value out of bounds with 2', async () => {
    expect(await run('cluster', 'init', '--nodes', '0', '--dir', 'x')).to.include({ code: 2 });
  });

  it('ends a format of the output that there is not with 2, also where no cluster is asked', async () => {
    const { code, err } = await run('sim', 'run', '--output', 'xml');

    expect(code).to.equal(2);
    expect(err).to.contain('xml is not one of table, json, ndjson');
  });

  it('ends a group without a command with 2 and its help', async () => {
    const { code, err } = await run('kv');

    expect(code).to.equal(2);
    expect(err).to.contain('put');
  });

  it('ends help with 0', async () => {
    expect((await run('--help')).code).to.equal(0);
  });
});

describe('daemon: failures of requests', () => {
  it('ends with 4 and one helpful line when nobody listens', async () => {
    const { code, err } = await run('kv', 'get', 'a', '--endpoints', 'http://127.0.0.1:1');

    expect(code).to.equal(4);
    expect(err).to.match(/^quorate: kv get: [^\n]*127\.0\.0\.1:1[^\n]* — [^\n]*\n$/);
  });

  for (const [code, expected] of [
    ['no_leader', 4],
    ['no_quorum', 4],
    ['not_found', 3],
    ['unknown_agent', 3],
    ['version_mismatch', 5],
    ['stale_fence', 5],
    ['timeout', 6],
    ['outcome_unknown', 6],
    ['invalid_argument', 2],
    ['internal', 1],
  ] as const) {
    it(`maps ${code} to ${expected}`, () => {
      expect(exitCodeOf(code)).to.equal(expected);
    });
  }

  it('judges an unknown code by its status', () => {
    expect(exitCodeOf('something_new', 403)).to.equal(7);
    expect(exitCodeOf('something_new', 500)).to.equal(1);
  });
});

describe('daemon: arguments', () => {
  it('reads durations', () => {
    expect(['500ms', '5s', '2m', '1h', '250', '1.5s'].map(durationMs)).to.deep.equal([500, 5000, 120_000, 3_600_000, 250, 1500]);
    expect(['', 's', '5 s', '-1s', '5d'].map(durationMs)).to.deep.equal([undefined, undefined, undefined, undefined, undefined]);
  });

  it('finds the nearest word, and none when all are far', () => {
    expect(nearest('htp-port', ['http-port', 'peer-port'])).to.equal('http-port');
    expect(nearest('xyz', ['http-port', 'peer-port'])).to.equal(undefined);
  });

  it('gives every task of a file an id and names the line that is wrong', () => {
    expect(parseLines('{"type":"a","id":"t"}\n\n{"type":"b"}\n').map(({ id }) => typeof id)).to.deep.equal(['string', 'string']);
    expect(() => parseLines('{"type":"a"}\n{')).to.throw(/line 2/);
  });
});

describe('daemon: completion', () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    it(`offers commands and flags in ${shell}`, async () => {
      const { out, code } = await run('completion', shell);

      expect(code).to.equal(0);
      expect(out)
        .to.contain('--if-version'.slice(shell === 'fish' ? 2 : 0))
        .and.contain('deregister')
        .and.not.contain('stop-on-stdin-end');
    });
  }

  it('completes in a real bash', async function () {
    if (spawnSync('bash', ['-c', 'true']).status !== 0) this.skip();
    const { out } = await run('completion', 'bash');
    const script = `${out}
COMP_WORDS=(quorate kv ge); COMP_CWORD=2; _quorate; echo "\${COMPREPLY[*]}"`;

    const { stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });

    expect(stdout).to.equal('get\n');
  });
});

describe('daemon: the executable', () => {
  it('ends an unknown flag with 2, a line on stderr and nothing on stdout', () => {
    const main = fileURLToPath(new URL('../../daemon/main.js', import.meta.url));

    const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'start', '--data-dir', 'x', '--htpp-port', '1'], {
      encoding: 'utf8',
    });

    expect({ status, stdout }).to.deep.equal({ status: 2, stdout: '' });
    expect(stderr).to.match(/^quorate: start: [^\n]*--http-port\?\n$/);
  });
});

describe('daemon: pictures of simulated runs', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'quorate-picture-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('draws the first of several runs that all went well', async () => {
    const [svg, html] = [join(folder, 'run.svg'), join(folder, 'run.html')];

    const { code } = await run('sim', 'run', 'random', '--seed', '2', '--seeds', '2', '--steps', '500', '--svg', svg, '--html', html);

    expect(code).to.equal(0);
    expect(readFileSync(svg, 'utf8'))
      .to.match(/^<svg /)
      .and.to.include('random · seed 2');
    expect(readFileSync(html, 'utf8')).to.match(/^<!DOCTYPE html>/);
  });

  it('says why a picture could not be written', async () => {
    const svg = join(folder, 'nowhere', 'run.svg');

    const { code, err } = await run('sim', 'replay', '2', 'random', '--steps', '500', '--svg', svg);

    expect(code).to.equal(1);
    expect(err).to.include(`the file can't be written to ${svg}`);
  });
});
