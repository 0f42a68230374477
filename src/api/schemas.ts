import { z } from 'zod';
import { namePattern } from '../core/ids.ts';
import {
  maxErrorLength,
  maxGuardedPayloadLength,
  maxKeyLength,
  maxNameLength,
  maxSecretLength,
  maxSubjectLength,
  maxTags,
  maxValueLength,
} from '../wire/limits.ts';
import { taskStates } from '../tasks/task.ts';

const dayMs = 86_400_000;
/** Longest wait of a blocking read. */
export const maxWaitMs = 60_000;

const name = z.string().regex(namePattern, `must match ${namePattern.source}`);
const names = z.array(name).max(maxTags);
const index = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** `30s`, `500ms`, `1m` or a number of milliseconds; longer waits are cut to a minute. */
const duration = z
  .string()
  .regex(/^\d{1,9}(ms|s|m)?$/, 'must be a duration like 30s, 500ms or 1m')
  .transform((text) => {
    const value = Number.parseInt(text, 10);
    const unitMs = text.endsWith('ms') ? 1 : text.endsWith('s') ? 1000 : text.endsWith('m') ? 60_000 : 1;
    return Math.min(value * unitMs, maxWaitMs);
  });

const count = (max: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().int().min(0).max(max));

const list = z
  .string()
  .max(16_384)
  .transform((text) => text.split(',').filter((item) => item !== ''))
  .pipe(names);

const consistency = z.enum(['linearizable', 'leader', 'local']).default('linearizable');
const limit = count(1000).pipe(z.number().min(1)).default(100);
const cursor = z.string().max(2048).optional();

export const readQuery = z.strictObject({ consistency });
export const noQuery = z.strictObject({});
export const noBody = z.strictObject({}).optional();
export const readyQuery = z.strictObject({ verbose: z.string().optional() });

export const keyParams = z.strictObject({ '*': z.string().min(1).max(maxKeyLength) });
export const keyBody = z.strictObject({ value: z.string().max(maxValueLength), ifVersion: index.optional() });
export const keyQuery = z.strictObject({ consistency, index: count(Number.MAX_SAFE_INTEGER).optional(), wait: duration.optional() });
export const keyDeleteQuery = z.strictObject({ ifVersion: count(Number.MAX_SAFE_INTEGER).optional() });
export const keyListQuery = z.strictObject({ consistency, prefix: z.string().max(maxKeyLength).default(''), limit, cursor });

export const idParams = z.strictObject({ id: name });
export const agentBody = z.strictObject({
  capabilities: names,
  swarms: names.default([]),
  concurrency: z.number().int().min(1).max(10_000).default(1),
  weight: z.number().int().min(1).max(1_000_000).default(1),
  labels: z
    .record(z.string().max(maxNameLength), z.string().max(maxKeyLength))
    .refine((labels) => Object.keys(labels).length <= maxTags, `at most ${maxTags} labels`)
    .default({}),
  ttlMs: z.number().int().min(1000).max(300_000).default(10_000),
  role: z.enum(['primary', 'backup']).optional(),
  group: name.optional(),
});
export const heartbeatBody = z.strictObject({
  generation: index,
  status: z.enum(['available', 'busy', 'draining']).optional(),
  load: z.number().min(0).max(1e9).optional(),
  latencyMs: z.number().min(0).max(1e9).optional(),
  successRate: z.number().min(0).max(1).optional(),
});
export const agentsQuery = z.strictObject({
  consistency,
  all: list.default([]),
  any: list.default([]),
  none: list.default([]),
  swarm: name.optional(),
  status: z.enum(['available', 'busy', 'draining', 'suspect', 'down']).optional(),
  limit,
  cursor,
});
export const claimBody = z.strictObject({
  generation: index,
  max: z.number().int().min(1).max(256).default(1),
  waitMs: z.number().int().min(0).max(30_000).default(0),
  types: names.optional(),
});

export const taskBody = z.strictObject({
  id: name.optional(),
  type: name,
  payload: z
    .unknown()
    .optional()
    .transform((payload) => payload ?? null),
  requires: names.default([]),
  swarm: name.optional(),
  priority: z.number().int().min(0).max(9).default(0),
  maxAttempts: z.number().int().min(1).max(1000).default(3),
  leaseMs: z.number().int().min(100).max(dayMs).default(10_000),
  deadlineMs: z
    .number()
    .int()
    .min(1)
    .max(365 * dayMs)
    .optional(),
  delayMs: z
    .number()
    .int()
    .min(0)
    .max(365 * dayMs)
    .default(0),
  backoff: z
    .strictObject({
      baseMs: z.number().int().min(0).max(dayMs),
      factor: z.number().min(1).max(100),
      maxMs: z.number().int().min(0).max(dayMs),
    })
    .default({ baseMs: 1000, factor: 2, maxMs: 60_000 }),
});
export const tasksBody = z.union([z.array(taskBody).min(1).max(1000), taskBody]);
export const taskQuery = z.strictObject({ consistency, wait: duration.optional() });
export const tasksQuery = z.strictObject({
  consistency,
  state: z.enum(taskStates).optional(),
  type: name.optional(),
  agent: name.optional(),
  limit,
  cursor: count(Number.MAX_SAFE_INTEGER).optional(),
});
export const completeBody = z.strictObject({
  fence: index,
  result: z
    .unknown()
    .optional()
    .transform((result) => result ?? null),
});
export const failBody = z.strictObject({ fence: index, error: z.string().max(maxErrorLength), retryable: z.boolean().default(true) });
export const fenceBody = z.strictObject({ fence: index });
export const taskHeartbeatBody = z.strictObject({ fence: index, progress: z.number().optional() });

/** The file that a vote makes, or its field `certificate` alone. */
const certificate = z
  .union([z.string(), z.looseObject({ certificate: z.string() })])
  .transform((value) => (typeof value === 'string' ? value : value.certificate))
  .pipe(z.base64());
export const decisionBody = z.strictObject({
  certificate,
  subject: z.string().min(1).max(maxSubjectLength).optional(),
  payload: z.string().max(maxGuardedPayloadLength).default(''),
});
export const decisionsQuery = z.strictObject({
  consistency,
  kind: name.optional(),
  subject: z.string().max(maxSubjectLength).optional(),
  limit,
});
export const secretBody = z.strictObject({ value: z.string().max(maxSecretLength) });

/** As libp2p writes the id of an Ed25519 key. */
const peerId = z.string().regex(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/, 'must be the peer id of an Ed25519 key');
const memberFields = {
  nodeId: peerId,
  name,
  http: z.url({ protocol: /^https?$/ }).max(maxKeyLength),
  peer: z
    .string()
    .max(maxKeyLength)
    .regex(/^[^\s:]+:\d{1,5}$|^\[[^\s\]]+\]:\d{1,5}$/, 'must be host:port'),
};
export const memberBody = z.strictObject({
  nodeId: memberFields.nodeId,
  name: memberFields.name.optional(),
  http: memberFields.http.optional(),
  peer: memberFields.peer.optional(),
  role: z.enum(['voter', 'learner']).default('voter'),
  replaces: name.optional(),
  certificate: certificate.optional(),
});
export const removalBody = z.strictObject({ certificate: certificate.optional() }).optional();
export const joinBody = z.strictObject({ token: z.string().min(1).max(maxNameLength), ...memberFields });
export const tokenBody = z
  .strictObject({
    ttlMs: z
      .number()
      .int()
      .min(1000)
      .max(30 * dayMs)
      .default(3_600_000),
  })
  .default({ ttlMs: 3_600_000 });
export const memberParams = z.strictObject({ nodeId: name });
export const transferBody = z.strictObject({ to: name.optional() }).optional();

const voteId = z
  .string()
  .regex(/^[0-9a-f]{64}(\.\d{1,4})?$/, 'must be the id of a vote: 64 hexadecimal digits, and .K for the item K of several');
const bytesUpTo = (max: number) =>
  z
    .string()
    .min(1)
    .refine((text) => Buffer.byteLength(text) <= max, `at most ${max} bytes`);
export const voteParams = z.strictObject({ id: voteId });
const voteBody = z.strictObject({
  subject: bytesUpTo(256),
  kind: bytesUpTo(64).default('decision'),
  payload: z.unknown().optional(),
  options: z
    .array(bytesUpTo(64))
    .min(2)
    .max(8)
    .refine((options) => new Set(options).size === options.length, 'no two may be alike')
    .default(['approve', 'reject']),
  minSupport: z.number().int().min(1).max(128).optional(),
  timeoutMs: z.number().int().min(100).max(604_800_000).default(5000),
  validMs: z
    .number()
    .int()
    .min(1000)
    .max(365 * dayMs)
    .default(dayMs),
  bundle: z.boolean().default(true),
  wait: z.number().int().min(0).max(maxWaitMs).optional(),
});
export const votesBody = z.union([z.array(voteBody).min(1).max(1000), voteBody]);
export const ballotBody = z.strictObject({ choice: bytesUpTo(64) });
export const voteQuery = z.strictObject({ wait: duration.optional() });
export const historyQuery = z.strictObject({ limit: count(1000).pipe(z.number().min(1)).optional() });
export const votesQuery = z.strictObject({ limit });

export const eventsQuery = z.strictObject({
  from: count(Number.MAX_SAFE_INTEGER).optional(),
  kinds: z
    .string()
    .transform((text) => text.split(',').filter((kind) => kind !== ''))
    .pipe(z.array(z.enum(['task', 'agent', 'vote', 'partition', 'member', 'key', 'divergence', 'decision'])))
    .optional(),
});

export type TaskBody = z.infer<typeof taskBody>;
export type VoteBody = z.infer<typeof voteBody>;
