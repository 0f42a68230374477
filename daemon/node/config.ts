import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import { durationMs } from '../arguments.ts';
import { messageOf, usageError } from '../cli-error.ts';
import type { GossipSettings } from '../../src/index.ts';
import { nearest } from '../nearest.ts';

const port = z.int().min(0).max(65_535);

/** The keys of node.toml, the flags of `start` (with `--`) and, in capitals, the environment variables (with `QUORATE_`). */
const nodeKeys = z.strictObject({
  name: z.string().min(1),
  genesis: z.string().min(1),
  'http-host': z.string().min(1),
  'http-port': port,
  'peer-host': z.string().min(1),
  'peer-port': port,
  'heartbeat-ms': z.int().min(10).max(60_000),
  'election-timeout-ms': z.int().min(50).max(600_000),
  'snapshot-bytes': z.int().min(65_536),
  'read-mode': z.enum(['safe', 'lease']),
  'gossip-carrier': z.enum(['auto', 'mesh', 'gossipsub']),
  'gossip-fanout': z.int().min(1).max(128).optional(),
  'gossip-ttl': z.int().min(1).max(32).optional(),
  'gossip-flush-ms': z.int().min(5).max(50),
  /** Kinds divided by commas. */
  'votes-auto-approve': z.string(),
  'log-level': z.enum(['debug', 'info', 'warn', 'error']),
});

type NodeKeys = z.infer<typeof nodeKeys>;

/** How one node runs; names and ports are checked, paths are as written. */
export interface NodeSettings {
  readonly name: string;
  /** Path of the genesis, relative to the data directory. */
  readonly genesis: string;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly peerHost: string;
  readonly peerPort: number;
  readonly heartbeatMs: number;
  readonly electionTimeoutMs: number;
  readonly snapshotBytes: number;
  readonly readMode: 'safe' | 'lease';
  readonly gossip: GossipSettings;
  /** Kinds of votes that this node approves without asking anyone; `*` is all. */
  readonly votesAutoApprove: readonly string[];
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

export const nodeDefaults = {
  genesis: '../genesis.json',
  'http-host': '127.0.0.1',
  'http-port': 7401,
  'peer-host': '127.0.0.1',
  'peer-port': 7501,
  'heartbeat-ms': 100,
  'election-timeout-ms': 1000,
  'snapshot-bytes': 67_108_864,
  'read-mode': 'safe',
  'gossip-carrier': 'auto',
  'gossip-flush-ms': 10,
  'votes-auto-approve': '',
  'log-level': 'info',
} as const satisfies Partial<NodeKeys>;

const knownKeys: readonly string[] = Object.keys(nodeKeys.shape);
const textKeys: ReadonlySet<string> = new Set([
  'name',
  'genesis',
  'http-host',
  'peer-host',
  'read-mode',
  'gossip-carrier',
  'votes-auto-approve',
  'log-level',
]);

/** Variables that other commands read, or that `agent run` sets for its children. */
const clientVariables = ['ENDPOINTS', 'TOKEN', 'TIMEOUT', 'CONSISTENCY', 'OUTPUT'];
const childVariables = ['TASK_ID', 'TASK_TYPE', 'ATTEMPT', 'FENCE', 'VOTE_ID', 'VOTE_KIND', 'VOTE_SUBJECT'];
const otherVariables: ReadonlySet<string> = new Set([...clientVariables, ...childVariables].map((name) => `QUORATE_${name}`));

/** Kubernetes sets such variables for a service called "quorate"; they are nobody's mistake. */
const foreignVariable = /_(SERVICE_|PORT$|PORT_)/;

export type Environment = Readonly<Record<string, string | undefined>>;

interface Layer {
  readonly values: Readonly<Record<string, unknown>>;
  /** How a person wrote this key. */
  readonly nameOf: (key: string) => string;
}

export interface NodeConfigSources {
  /** The text of node.toml and where it was read; absent if there is no such file. */
  readonly file?: { readonly text: string; readonly path: string } | undefined;
  readonly env: Environment;
  /** Flags as written, by their names without `--`. */
  readonly flags: Readonly<Record<string, string>>;
}

/**
 * Defaults, then node.toml, then the environment, then flags; the later wins. Checked as a whole and frozen.
 *
 * @throws CliError for an unknown key, naming the nearest known one, and for a value out of bounds, naming where it was written.
 */
export function nodeSettings(sources: NodeConfigSources): NodeSettings {
  const layers: Layer[] = [{ values: nodeDefaults, nameOf: (key) => key }];
  if (sources.file !== undefined) layers.push(fileLayer(sources.file));
  layers.push(environmentLayer(sources.env), flagLayer(sources.flags));
  const merged: Record<string, unknown> = {};
  const origin = new Map<string, string>();
  for (const { values, nameOf } of layers) {
    for (const [key, value] of Object.entries(values)) {
      if (!knownKeys.includes(key)) throw unknownKey(nameOf(key), nearest(key, knownKeys), nameOf);
      merged[key] = value;
      origin.set(key, nameOf(key));
    }
  }
  const parsed = nodeKeys.safeParse(merged);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const key = String(issue?.path[0] ?? '');
    throw usageError(`${origin.get(key) ?? key}: ${issue?.message ?? 'not valid'}`, 'correct the value');
  }
  return settingsOf(parsed.data);
}

function settingsOf(keys: NodeKeys): NodeSettings {
  if (keys['election-timeout-ms'] < 5 * keys['heartbeat-ms']) {
    throw usageError(
      `election-timeout-ms (${keys['election-timeout-ms']}) must be at least 5 times heartbeat-ms (${keys['heartbeat-ms']})`,
      'raise the one or lower the other',
    );
  }
  return Object.freeze({
    name: keys.name,
    genesis: keys.genesis,
    httpHost: keys['http-host'],
    httpPort: keys['http-port'],
    peerHost: keys['peer-host'],
    peerPort: keys['peer-port'],
    heartbeatMs: keys['heartbeat-ms'],
    electionTimeoutMs: keys['election-timeout-ms'],
    snapshotBytes: keys['snapshot-bytes'],
    readMode: keys['read-mode'],
    gossip: {
      carrier: keys['gossip-carrier'],
      fanout: keys['gossip-fanout'],
      ttl: keys['gossip-ttl'],
      flushMs: keys['gossip-flush-ms'],
    },
    votesAutoApprove: keys['votes-auto-approve'].split(',').filter((kind) => kind !== ''),
    logLevel: keys['log-level'],
  });
}

function unknownKey(written: string, near: string | undefined, nameOf: Layer['nameOf']): Error {
  return usageError(`unknown key ${written}`, near === undefined ? `known keys: ${knownKeys.join(', ')}` : `did you mean ${nameOf(near)}?`);
}

function fileLayer({ text, path }: { readonly text: string; readonly path: string }): Layer {
  try {
    return { values: parseToml(text), nameOf: (key) => `${key} in ${path}` };
  } catch (error) {
    throw usageError(`${path} is not valid TOML: ${messageOf(error).split('\n')[0] ?? ''}`, 'correct the file');
  }
}

function environmentLayer(env: Environment): Layer {
  const values: Record<string, unknown> = {};
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith('QUORATE_') || text === undefined || otherVariables.has(variable)) continue;
    const key = variable.slice('QUORATE_'.length).toLowerCase().replaceAll('_', '-');
    if (!knownKeys.includes(key) && foreignVariable.test(variable)) continue;
    values[key] = valueOf(key, text);
  }
  return { values, nameOf: (key) => `QUORATE_${key.toUpperCase().replaceAll('-', '_')}` };
}

function flagLayer(flags: Readonly<Record<string, string>>): Layer {
  return { values: Object.fromEntries(Object.entries(flags).map(([key, text]) => [key, valueOf(key, text)])), nameOf: (key) => `--${key}` };
}

/** What is not a number stays text, for the check to refuse with the place where it was written. */
function valueOf(key: string, text: string): unknown {
  if (textKeys.has(key)) return text;
  if (key.endsWith('-ms')) return durationMs(text) ?? text;
  return /^\d+$/.test(text) ? Number(text) : text;
}

const consistencies = ['linearizable', 'leader', 'local'] as const;
const formats = ['table', 'json', 'ndjson'] as const;
export type Format = (typeof formats)[number];

/** How client commands reach the cluster and show its answers. */
export interface ClientSettings {
  readonly endpoints: readonly string[];
  readonly token: string | undefined;
  /** Bound on one request. */
  readonly timeoutMs: number;
  /** The bound as the user gave it, if at all: commands that wait have none otherwise. */
  readonly givenTimeoutMs: number | undefined;
  readonly consistency: (typeof consistencies)[number] | undefined;
  readonly format: Format;
}

/** The global flags as commander reads them. */
export interface GlobalFlags {
  readonly endpoints?: string;
  readonly token?: string;
  readonly timeout?: string;
  readonly consistency?: string;
  readonly output?: string;
}

/** @throws CliError when a flag or variable is not valid, naming it. */
export function clientSettings(flags: GlobalFlags, env: Environment): ClientSettings {
  const pick = (flag: keyof GlobalFlags): { readonly text: string; readonly from: string } | undefined => {
    const variable = `QUORATE_${flag.toUpperCase()}`;
    const written = flags[flag];
    if (written !== undefined) return { text: written, from: `--${flag}` };
    const text = env[variable];
    return text === undefined || text === '' ? undefined : { text, from: variable };
  };
  const timeout = pick('timeout');
  const givenTimeoutMs = timeout === undefined ? undefined : durationMs(timeout.text);
  if (timeout !== undefined && givenTimeoutMs === undefined)
    throw usageError(`${timeout.from}: ${timeout.text} is not a duration`, 'write it like 500ms, 5s or 2m');
  return Object.freeze({
    endpoints: endpointsOf(pick('endpoints')),
    token: pick('token')?.text,
    timeoutMs: givenTimeoutMs ?? 10_000,
    givenTimeoutMs,
    consistency: oneOf(consistencies, pick('consistency')),
    format: oneOf(formats, pick('output')) ?? 'table',
  });
}

function endpointsOf(given: { readonly text: string; readonly from: string } | undefined): readonly string[] {
  const texts = (given?.text ?? 'http://127.0.0.1:7401').split(',').map((text) => text.trim());
  return texts.map((text) => {
    const full = text.includes('://') ? text : `http://${text}`;
    if (!URL.canParse(full) || !/^https?:/.test(full)) {
      throw usageError(`${given?.from ?? '--endpoints'}: ${text} is not a URL`, 'write it like http://127.0.0.1:7401');
    }
    return new URL(full).origin;
  });
}

function oneOf<T extends string>(known: readonly T[], given: { readonly text: string; readonly from: string } | undefined): T | undefined {
  if (given === undefined) return undefined;
  const found = known.find((word) => word === given.text);
  if (found === undefined)
    throw usageError(
      `${given.from}: ${given.text} is not one of ${known.join(', ')}`,
      `try ${nearest(given.text, known) ?? known[0] ?? ''}`,
    );
  return found;
}
