import type { Report } from './frames.ts';
import { readReport, reportFields } from './frames.ts';
import { pack, unpack } from './pack.ts';
import { FieldReader } from './reader.ts';

// The values of the gossip's keys: what an agent says of itself, and which nodes a node hears.

/** Whom a node hears, and what it knows of the log: its row of the reachability matrix. */
export interface Row {
  /** The members it speaks of, as the log index of their configuration. */
  readonly epoch: number;
  /** One bit a member, in the order of the members' ids; the lowest of the first byte is the first member's. */
  readonly heard: Uint8Array;
  readonly term: number;
  /** The leader it knows, as a place in that order. */
  readonly leader: number | undefined;
  readonly commitIndex: number;
}

const maxRowBytes = 128;

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

export const encodeRow = ({ epoch, heard, term, leader, commitIndex }: Row): Uint8Array =>
  pack([epoch, heard, term, leader ?? null, commitIndex]);

/** `undefined` when the bytes are malformed. */
export function decodeRow(bytes: Uint8Array): Row | undefined {
  const r = new FieldReader(unpack(bytes));
  const [epoch, heard, term] = [r.int(), new Uint8Array(r.bytes(maxRowBytes)), r.int()];
  const row = { epoch, heard, term, leader: r.optional(() => r.int(0, 8 * maxRowBytes - 1)), commitIndex: r.int() };
  return r.ok ? row : undefined;
}
