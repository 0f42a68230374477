import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Who may import whom, itself always; ARCHITECTURE.md tells the same. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  'src/core': [],
  'src/raft': ['src/core'],
  'src/byzantine': ['src/core'],
  'src/gossip': ['src/core'],
  'src/registry': ['src/core'],
  'src/detector': ['src/core'],
  'src/partition': ['src/core'],
  'src/crypto': ['src/byzantine'],
  'src/verify': ['src/byzantine', 'src/crypto'],
  'src/tasks': ['src/core', 'src/registry'],
  'src/wire': ['src/core', 'src/raft', 'src/gossip', 'src/tasks', 'src/detector', 'src/partition'],
  'src/storage': ['src/core', 'src/raft'],
  'src/transport': ['src/core'],
  'src/node': [
    'src/core',
    'src/raft',
    'src/byzantine',
    'src/gossip',
    'src/crypto',
    'src/registry',
    'src/tasks',
    'src/wire',
    'src/storage',
    'src/transport',
    'src/detector',
    'src/partition',
  ],
  'src/api': ['src/core', 'src/node', 'src/registry', 'src/tasks', 'src/verify', 'src/wire'],
  'src/client': ['src/core', 'src/node', 'src/tasks', 'src/wire'],
  src: ['src/core', 'src/node', 'src/api', 'src/client', 'src/transport', 'src/tasks', 'src/registry', 'src/storage'],
  daemon: ['src', 'src/verify', 'sim'],
  sim: [
    'src/core',
    'src/raft',
    'src/byzantine',
    'src/crypto',
    'src/gossip',
    'src/partition',
    'src/tasks',
    'src/wire',
    'src/node',
    'src/storage',
  ],
};

/** Packages that only some rooms may open. */
const doors: Readonly<Record<string, readonly string[]>> = {
  msgpackr: ['src/wire'],
  level: ['src/storage'],
  libp2p: ['src/transport'],
  '@libp2p/': ['src/transport'],
  '@chainsafe/': ['src/transport'],
  '@noble/hashes': ['src/tasks', 'src/storage', 'src/crypto', 'sim'],
  fastify: ['src/api'],
  '@fastify/': ['src/api'],
  zod: ['src/api', 'daemon'],
  ws: ['src/api', 'src/client'],
  'prom-client': ['src/node'],
  commander: ['daemon'],
  pino: ['daemon'],
  'smol-toml': ['daemon'],
  'node:fs': ['src/storage', 'src/transport', 'src/api', 'src/client', 'src/node', 'daemon', 'sim'],
  'node:crypto': ['src/crypto', 'src/api', 'src/client', 'src/node', 'daemon'],
  'node:': ['src/storage', 'src/transport', 'src/api', 'src/client', 'src/node', 'daemon'],
};

interface Import {
  readonly file: string;
  readonly room: string;
  readonly from: string;
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

const roomOf = (file: string): string => {
  const [top = '', second = '', third] = file.split('/');
  return top === 'src' && third !== undefined ? `src/${second}` : top;
};

const importsOf = (file: string, text: string): Import[] =>
  [...text.matchAll(/(?:from|import)\s+'([^']+)'/g)].map(([, from = '']) => ({ file, room: roomOf(file), from }));

function breaches(imports: readonly Import[]): string[] {
  return imports.flatMap(({ file, room, from }) => {
    if (from.startsWith('.')) {
      const target = roomOf(relative(root, resolve(root, dirname(file), from)));
      return target === room || (mayImport[room] ?? []).includes(target)
        ? []
        : [`${file} imports ${from}: ${room} may not import ${target}`];
    }
    const door = Object.entries(doors).find(
      ([name]) => from === name || from.startsWith(name.endsWith('/') || name.endsWith(':') ? name : `${name}/`),
    );
    return door === undefined || door[1].includes(room) ? [] : [`${file} imports ${from}: only ${door[1].join(', ')} may`];
  });
}

const files = ['src', 'daemon', 'sim'].flatMap(sources);

describe('tidiness', () => {
  it('has no import that the table forbids', () => {
    const found = breaches(files.flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8'))));

    expect(found).to.deep.equal([]);
  });

  it('would notice a forbidden import', () => {
    expect(breaches(importsOf('src/raft/raft.ts', "import { Level } from 'level';"))).to.have.length(1);
    expect(breaches(importsOf('src/raft/raft.ts', "import { pack } from '../wire/pack.ts';"))).to.have.length(1);
    expect(breaches(importsOf('daemon/cli.ts', "import { Node } from '../src/node/node.ts';"))).to.have.length(1);
    expect(breaches(importsOf('src/raft/raft.ts', "import { assert } from '../core/assert.ts';"))).to.have.length(0);
  });

  it('knows every folder', () => {
    expect([...new Set(files.map(roomOf))].filter((room) => !(room in mayImport))).to.deep.equal([]);
  });

  it('keeps clocks, timers and promises out of the pure folders', () => {
    const pure = files.filter(
      (file) =>
        /^(src\/(core|raft|byzantine|gossip|registry|detector|partition|tasks)|sim)\//.test(file) && file !== 'src/core/polyfill.ts',
    );
    const found = pure.filter((file) =>
      /\b(async|await|setTimeout|setInterval|setImmediate|Math\.random|Date\.now|new Date|performance\.now)\b/.test(withoutComments(file)),
    );

    expect(found).to.deep.equal([]);
  });

  it('has no file of more than 600 lines, and no test of more than 800', () => {
    const most = (file: string): number => (file.startsWith('test/') ? 800 : 600);
    expect(files.filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > most(file))).to.deep.equal([]);
  });

  it('has no cast that hides a type', () => {
    expect(
      files.filter((file) => /\bas any\b|: any\b|@ts-ignore|@ts-expect-error|as unknown as/.test(withoutComments(file))),
    ).to.deep.equal([]);
  });
});

const withoutComments = (file: string): string => readFileSync(join(root, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
