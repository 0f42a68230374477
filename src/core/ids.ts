declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** A daemon of the cluster: its libp2p peer id, which is its Ed25519 key. */
export type NodeId = Branded<'NodeId'>;
/** A worker, named by whoever runs it. */
export type AgentId = Branded<'AgentId'>;
/** A task, named by its submitter or by the node that took it. */
export type TaskId = Branded<'TaskId'>;

/** Raft's currentTerm: a whole number from 0. */
export type Term = number;
/** A position in the replicated log: a whole number from 1; 0 is "before the log". */
export type LogIndex = number;

/** What a name given by a person or a program may look like: it appears in URLs, log lines and file names. At most 128 characters. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$/;

export const isName = (text: string): boolean => namePattern.test(text);

// The checked constructors below hold the only casts to a branded id.

/** @throws RangeError if the text is not a name. */
export function nodeId(text: string): NodeId {
  return checked(text, 'node id') as NodeId;
}

/** @throws RangeError if the text is not a name. */
export function agentId(text: string): AgentId {
  return checked(text, 'agent id') as AgentId;
}

/** @throws RangeError if the text is not a name. */
export function taskId(text: string): TaskId {
  return checked(text, 'task id') as TaskId;
}

function checked(text: string, what: string): string {
  if (!isName(text)) throw new RangeError(`${what} must match ${namePattern.source}: ${JSON.stringify(text.slice(0, 140))}`);
  return text;
}
