import type { Report } from './frames.ts';
import { readReport, reportFields } from './frames.ts';
import { pack, unpack } from './pack.ts';
import { FieldReader } from './reader.ts';

// The values of the gossip's keys of agents; those of nodes are rows (`rows.ts`).

/** That an agent was heard, and what it last said of itself, which may have been earlier. */
export interface AgentWord {
  readonly said: { readonly report: Report; readonly ageMs: number } | undefined;
}

export const encodeAgentWord = ({ said }: AgentWord): Uint8Array =>
  pack(said === undefined ? [] : [said.ageMs, ...reportFields(said.report)]);

/** `undefined` when the bytes are malformed. */
export function decodeAgentWord(bytes: Uint8Array): AgentWord | undefined {
  const fields = unpack(bytes);
  if (Array.isArray(fields) && fields.length === 0) return { said: undefined };
  const reader = new FieldReader(fields);
  const said = { ageMs: reader.int(), report: readReport(reader) };
  return reader.ok ? { said } : undefined;
}
