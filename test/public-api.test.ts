import { expect } from 'chai';
import * as api from '../src/index.ts';

describe('public API', () => {
  it('has these names and no others', () => {
    expect(Object.keys(api).toSorted()).to.deep.equal([
      'FatalTaskError',
      'GossipHost',
      'InvariantError',
      'Node',
      'QuorateClient',
      'QuorateError',
      'SnapshotFileError',
      'Worker',
      'createClient',
      'createIdentity',
      'createWorker',
      'foundStore',
      'inspectSnapshot',
      'isDefinite',
      'isName',
      'loadIdentity',
      'loadSnapshot',
      'nodeId',
      'readStoredState',
      'startApi',
      'startNode',
      'version',
    ]);
  });
});
