import { expect } from 'chai';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nextBoot } from '../../src/node/starts.ts';

describe('node: the count of starts', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'quorate-boot-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('rises with every start, and is on disk before it is told', async () => {
    expect([await nextBoot(directory), await nextBoot(directory), await nextBoot(directory)]).to.deep.equal([1, 2, 3]);
    expect(await readFile(join(directory, 'gossip-boot'), 'utf8')).to.equal('3\n');
  });

  for (const text of ['', '1', 'one\n', '-1\n', '12345678\n', '1\n2\n']) {
    it(`is not guessed when the file holds ${JSON.stringify(text)}`, async () => {
      await writeFile(join(directory, 'gossip-boot'), text);

      const error = await nextBoot(directory).catch((reason: unknown) => reason);

      expect(String(error)).to.include('holds no count of starts');
    });
  }
});
