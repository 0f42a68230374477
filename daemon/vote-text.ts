import { z } from 'zod';

export const voteSchema = z.object({
  id: z.string(),
  state: z.enum(['open', 'decided', 'no_consensus']),
  kind: z.string(),
  subject: z.string(),
  outcome: z.string().optional(),
  n: z.number(),
  f: z.number(),
  quorum: z.number(),
  options: z.array(z.string()),
  ballots: z.array(z.object({ node: z.string(), choice: z.string().nullable() })),
  certificate: z.unknown().optional(),
});
export type VoteAnswer = z.infer<typeof voteSchema>;

export const evidenceSchema = z.looseObject({
  kind: z.string(),
  node: z.string(),
  proposal: z.string(),
  detail: z.string(),
  isTransferable: z.boolean(),
});

export const evidenceHead = ['NODE', 'KIND', 'VOTE', 'CONVINCES OTHERS', 'WHAT'] as const;
export const evidenceRow = ({ node, kind, proposal, isTransferable, detail }: z.infer<typeof evidenceSchema>): readonly string[] => [
  node,
  kind,
  proposal.slice(0, 16),
  isTransferable ? 'yes' : 'no',
  detail,
];

/** Who voted what, and what came of it. */
export function voteText(vote: VoteAnswer, nameOf: (nodeId: string) => string): string {
  const outcome =
    vote.state === 'open' ? 'open' : vote.state === 'decided' ? `decided: ${vote.outcome ?? ''}` : `no consensus (${vote.outcome ?? ''})`;
  return [
    `vote    ${vote.id}`,
    `about   ${vote.subject} (${vote.kind})`,
    `result  ${outcome}`,
    `rule    ${vote.quorum} of ${vote.n} members; ${vote.f} may lie`,
    ...vote.ballots.map(({ node, choice }) => `ballot  ${nameOf(node)}: ${choice ?? 'abstains'}`),
  ].join('\n');
}
