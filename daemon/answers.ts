import { z } from 'zod';

// What the tables show of the API's answers. Fields that a newer node adds are let through unread.

const memberSchema = z.object({ nodeId: z.string(), name: z.string(), http: z.string(), peer: z.string(), voter: z.boolean() });
export const membersSchema = z.object({ items: z.array(memberSchema) });

export const statusSchema = z.object({
  nodeId: z.string(),
  name: z.string(),
  clusterId: z.string(),
  version: z.string(),
  role: z.string(),
  term: z.number(),
  leader: z.object({ nodeId: z.string(), http: z.string() }).nullable(),
  commitIndex: z.number(),
  appliedIndex: z.number(),
  members: z.array(memberSchema),
  removed: z.boolean().default(false),
  partition: z.object({ state: z.string(), reachable: z.array(z.string()) }),
  logChain: z.object({ divergence: z.object({ detail: z.string() }).nullable() }).default({ divergence: null }),
});
export type Status = z.infer<typeof statusSchema>;

export const keySchema = z.object({ key: z.string(), value: z.string(), version: z.number() });
export const writtenSchema = z.object({ version: z.number().optional(), index: z.number() });

export const agentSchema = z.looseObject({
  id: z.string(),
  generation: z.number(),
  capabilities: z.array(z.string()),
  swarms: z.array(z.string()),
  status: z.string(),
  node: z.string().nullish(),
  load: z.number().nullish(),
  lastSeenMs: z.number().nullish(),
  heardBy: z.string().nullish(),
  ttlMs: z.number().optional(),
  evidence: z
    .object({
      noticedBy: z.string().nullable(),
      measure: z.string(),
      silenceMs: z.number().nullable(),
      boundMs: z.number(),
      patience: z.number().nullable(),
      ageMs: z.number(),
    })
    .optional(),
});
export type AgentAnswer = z.infer<typeof agentSchema>;

export const registeredSchema = z.object({ id: z.string(), generation: z.number(), heartbeatMs: z.number() });

export const taskSchema = z.object({
  id: z.string(),
  type: z.string(),
  state: z.string(),
  attempt: z.number(),
  fence: z.number().nullish(),
  agent: z.string().nullish(),
  result: z.unknown().optional().optional(),
  error: z.unknown().optional().optional(),
  requires: z.array(z.string()),
  swarm: z.string().nullish(),
  priority: z.number(),
  maxAttempts: z.number().optional(),
  history: z
    .array(z.object({ index: z.number(), state: z.string(), agent: z.string().nullish(), reason: z.string().nullish() }))
    .optional(),
});
export type TaskAnswer = z.infer<typeof taskSchema>;

export const submittedSchema = z.object({ id: z.string(), state: z.string() });

/** A page of a listing. */
export const pageOf = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), cursor: z.string().nullish() });
