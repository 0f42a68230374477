import { expect } from 'chai';
import { nodeId } from '../../src/core/ids.ts';
import { inspectSnapshot, loadSnapshot } from '../../src/node/snapshot-contents.ts';
import { writeSnapshotFile } from '../../src/node/snapshot-file.ts';
import { encodeSnapshot } from '../../src/wire/snapshot.ts';
import { Log, registration, submission } from '../tasks/support.ts';

/** A file of the state, in chunks of some bytes. */
async function* fileOf({ state, index }: Log): AsyncGenerator<Uint8Array> {
  const chunks = [...encodeSnapshot(state.snapshot(), 200)];
  const configuration = { voters: [nodeId('n1')], outgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const header = { clusterId: 'c', nodeId: nodeId('n1'), version: '0', index, term: 1, configuration, chunks: chunks.length };
  yield* writeSnapshotFile(
    header,
    (async function* () {
      yield* chunks;
    })(),
  );
}

function log(value: string): Log {
  const made = new Log();
  made.must(registration());
  made.must(submission());
  made.must({ op: 'PutKey', key: 'k', value, ifVersion: undefined });
  return made;
}

describe('node: what is in a snapshot file', () => {
  it('tells the hash of the state, which is that of the state from which it was made', async () => {
    const made = log('é');

    const { stateHash } = await inspectSnapshot(fileOf(made));

    expect(stateHash).to.equal(made.state.hash());
    expect(stateHash).to.equal((await loadSnapshot(fileOf(made))).state.hash());
  });

  it('tells another hash of another state', async () => {
    expect((await inspectSnapshot(fileOf(log('a')))).stateHash).to.not.equal((await inspectSnapshot(fileOf(log('b')))).stateHash);
  });
});
