import { z } from 'zod';

// What the partition commands show of the API's answers. Fields that a newer node adds are let through unread.

const sides = z.array(z.array(z.string()));

export const partitionSchema = z.object({
  node: z.string(),
  state: z.string(),
  class: z.string(),
  degraded: z.boolean(),
  rows: z.array(
    z.object({
      node: z.string(),
      ageMs: z.number().optional(),
      hears: z.array(z.string()),
      leader: z.string().optional(),
      term: z.number(),
      commitIndex: z.number(),
      score: z.number(),
      link: z.string(),
      evidence: z
        .object({
          accuser: z.string(),
          measure: z.string(),
          value: z.number(),
          bound: z.number(),
          silenceMs: z.number(),
          score: z.number(),
        })
        .optional(),
      reachedByOthers: z.boolean(),
    }),
  ),
  sides,
  oneWay: z.array(z.object({ from: z.string(), to: z.string() })),
  raftOk: z.boolean(),
  preferredLeaders: z.array(z.string()),
});
export type PartitionAnswer = z.infer<typeof partitionSchema>;

const happening = z.object({
  kind: z.string(),
  atMs: z.number(),
  node: z.string().optional(),
  peer: z.string().optional(),
  heard: z.boolean().optional(),
  state: z.string().optional(),
  class: z.string().optional(),
  leader: z.string().nullish(),
  term: z.number().optional(),
  index: z.number().optional(),
});
export type HappeningAnswer = z.infer<typeof happening>;

const reportSchema = z.object({
  detectedMs: z.number(),
  healedMs: z.number(),
  durationMs: z.number(),
  reElected: z.boolean(),
  leaderBefore: z.string().nullable(),
  leaderAfter: z.string().nullable(),
  termBefore: z.number(),
  termAfter: z.number(),
  raft: z.object({ caughtUpEntries: z.number(), truncated: z.array(z.unknown()), snapshots: z.number() }),
  gossip: z.object({ merged: z.number(), conflicts: z.array(z.unknown()) }),
  tasks: z.object({ kept: z.number(), fenced: z.array(z.unknown()), requeued: z.number() }),
  notes: z.array(z.string()),
});

const splitSchema = z.object({
  id: z.string(),
  startMs: z.number(),
  detectedMs: z.number().nullable(),
  endMs: z.number().nullable(),
  class: z.string(),
  sides,
  happenings: z.array(happening),
  report: reportSchema.nullable(),
});
export type SplitAnswer = z.infer<typeof splitSchema>;
export const historySchema = z.object({ items: z.array(splitSchema) });
