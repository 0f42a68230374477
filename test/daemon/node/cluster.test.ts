import { expect } from 'chai';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeSettings } from '../../../daemon/node/config.ts';
import { parseGenesis, readGenesis } from '../../../daemon/node/genesis.ts';
import { initCluster } from '../../../daemon/node/init-cluster.ts';
import { loadIdentity } from '../../../src/index.ts';

describe('daemon: cluster init', () => {
  let parent: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'quorate-'));
  });
  afterEach(() => rm(parent, { recursive: true }));

  it('writes a genesis whose members have the keys of their data directories', async () => {
    const directory = join(parent, 'c');

    await initCluster({ nodes: 3, directory, httpPort: 7401, peerPort: 7501 });

    const { members } = await readGenesis(join(directory, 'genesis.json'));
    expect(members.map(({ http, peer }) => [http, peer])).to.deep.equal([
      ['http://127.0.0.1:7401', '127.0.0.1:7501'],
      ['http://127.0.0.1:7402', '127.0.0.1:7502'],
      ['http://127.0.0.1:7403', '127.0.0.1:7503'],
    ]);
    for (const { name, nodeId } of members) {
      const key = Buffer.from(await readFile(join(directory, name, 'key'), 'utf8'), 'base64');
      expect(loadIdentity(key).nodeId).to.equal(nodeId);
      expect((await stat(join(directory, name, 'key'))).mode & 0o777).to.equal(0o600);
    }
  });

  it('says in the genesis whether voters are guarded only when it was asked to', async () => {
    const ports = { httpPort: 7401, peerPort: 7501 };

    const [unsaid, guarded] = [
      await initCluster({ nodes: 1, directory: join(parent, 'a'), ...ports }),
      await initCluster({ nodes: 1, directory: join(parent, 'b'), ...ports, guardMembership: true }),
    ];

    expect(unsaid).not.to.have.property('votes');
    expect((await readGenesis(join(parent, 'b', 'genesis.json'))).votes).to.deep.equal(guarded.votes);
    expect(guarded.votes).to.deep.equal({ guardMembership: true });
  });

  it('writes a node.toml that is valid as it stands', async () => {
    const directory = join(parent, 'c');
    await initCluster({ nodes: 2, directory, httpPort: 7401, peerPort: 7501 });
    const path = join(directory, 'node-2', 'node.toml');

    const settings = nodeSettings({ file: { text: await readFile(path, 'utf8'), path }, env: {}, flags: {} });

    expect(settings).to.include({ name: 'node-2', genesis: '../genesis.json', httpPort: 7402, peerPort: 7502 });
  });

  it('refuses a directory that is not empty', async () => {
    const plan = { nodes: 1, directory: parent, httpPort: 7401, peerPort: 7501 };
    await initCluster(plan);
    const before = await readFile(join(parent, 'genesis.json'), 'utf8');

    const error: unknown = await initCluster(plan).catch((why: unknown) => why);

    expect(error).to.have.property('message').that.contains('not empty');
    expect(await readFile(join(parent, 'genesis.json'), 'utf8')).to.equal(before);
  });

  it('refuses client and peer ports that overlap', async () => {
    const error: unknown = await initCluster({ nodes: 3, directory: parent, httpPort: 7401, peerPort: 7403 }).catch((why: unknown) => why);

    expect(error).to.have.property('exitCode', 2);
  });
});

describe('daemon: genesis', () => {
  const member = { nodeId: 'n1', name: 'node-1', http: 'http://127.0.0.1:7401', peer: '127.0.0.1:7501' };
  const genesis = { version: 1, clusterId: 'c', members: [member] };

  it('accepts what it should be', () => {
    expect(parseGenesis(JSON.stringify(genesis), 'g')).to.deep.equal(genesis);
  });

  const wrong: Record<string, unknown> = {
    'another version': { ...genesis, version: 2 },
    'no members': { ...genesis, members: [] },
    'two members of one name': { ...genesis, members: [member, { ...member, nodeId: 'n2' }] },
    'two members of one id': { ...genesis, members: [member, { ...member, name: 'node-2' }] },
    'a peer without a port': { ...genesis, members: [{ ...member, peer: '127.0.0.1' }] },
    'an unknown field': { ...genesis, extra: true },
  };
  for (const [what, value] of Object.entries(wrong)) {
    it(`refuses ${what}, naming the file`, () => {
      expect(() => parseGenesis(JSON.stringify(value), 'g.json')).to.throw(/g\.json/);
    });
  }

  it('refuses what is not JSON', () => {
    expect(() => parseGenesis('{', 'g.json')).to.throw(/not JSON/);
  });
});
