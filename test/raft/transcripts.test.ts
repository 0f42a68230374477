import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { runTranscript } from './transcript.ts';

const folder = fileURLToPath(new URL('../../../test/transcripts/', import.meta.url));
const isRewriting = process.env['REWRITE'] === '1';

/** Whole conversations of nodes, word by word: `npm run transcripts` writes them anew, so that a change in what nodes say shows as a difference to review. */
describe('raft: transcripts', () => {
  for (const name of readdirSync(folder)) {
    it(`${name} goes as it is written`, () => {
      const written = readFileSync(`${folder}${name}`, 'utf8');

      const happened = runTranscript(written);

      if (isRewriting) writeFileSync(`${folder}${name}`, happened);
      else expect(happened).to.equal(written);
    });
  }

  it('says what is wrong with a command', () => {
    expect(() => runTranscript('> dance 1')).to.throw(RangeError, '"dance 1" is no command');
    expect(() => runTranscript('> nodes 1\n> campaign 2')).to.throw(RangeError, 'there is no node 2');
  });

  it('notices when something else happens than is written', () => {
    const written = runTranscript('> nodes 1\n> campaign 1');

    expect(runTranscript(written)).to.equal(written);
    expect(runTranscript(written.replace('nodes 1', 'nodes 2'))).not.to.equal(written.replace('nodes 1', 'nodes 2'));
  });
});
